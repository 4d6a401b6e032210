"""Python packages that agents are to have, as people write them (PEP 508), in the one form that is kept.

Options of pip, addresses and paths are no requirements: what is installed comes from where the platform's own
packages come from.

Does not: look whether there are such packages.
"""

from __future__ import annotations

from collections.abc import Sequence

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

MOST = 50
LONGEST = 200  # characters of one


def canonical(text: str) -> str:
    """`Requests >= 2` -> `requests>=2`; that of what it returns is the same. Raises `ValueError` with a
    sentence."""
    found = _form(text)
    # A condition's quotes are written anew, which not every text in them outlives; spaces are added.
    if len(found) > LONGEST:
        raise ValueError(
            f"a requirement is up to {LONGEST} characters; in its full form this is {len(found)}"
        )
    if _form(found) != found:
        raise ValueError(f"{text!r} has a condition that cannot be kept; write it with plain texts")
    return found


def _form(text: str) -> str:
    if not isinstance(text, str) or len(text) > LONGEST or not text.isprintable():
        raise ValueError(f"a requirement is one line of up to {LONGEST} characters")
    try:
        found = Requirement(text)
    except InvalidRequirement as exc:
        raise ValueError(
            f"{text!r} is no requirement; write a package's name, with versions if you like, such as "
            "requests==2.32.3. Options of pip, files and addresses are not taken"
        ) from exc
    if found.url is not None:
        raise ValueError(
            f"{text!r} names an address; name a version of the package, such as requests==2.32.3"
        )
    # Text that need not be a version: pip may take such a word for the name of a file.
    if any(one.operator == "===" for one in found.specifier):
        raise ValueError(f"{text!r} compares with ===; write ==")
    found.name = canonicalize_name(found.name)
    return str(found)


def canonical_all(texts: Sequence[str]) -> tuple[str, ...]:
    """Each once, whatever their order: equal ones make equal images. Raises `ValueError` with a sentence,
    also when `texts` is no list (JSON may hold anything)."""
    if not isinstance(texts, list | tuple):
        raise ValueError('requirements are a list, such as ["requests==2.32.3"]')
    found = tuple(sorted({canonical(text) for text in texts}))
    if len(found) > MOST:
        raise ValueError(f"there are {len(found)} requirements; up to {MOST} will do")
    return found
