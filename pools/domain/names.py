"""What pools may be called: by the pattern of all names in workflow documents, so that a document can name
any pool that people make."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

LONGEST = 63
NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
# A step's own pool is called `<workflow>-<step>`, hence may be as long as both, and end as a step's id does.
OWN_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,127}")
NAME_RULE = f"Use 1 to {LONGEST} lower-case letters, digits, - and _; begin and end with a letter or digit."

_HASH = 10  # hexadecimal digits
_HASHED = re.compile(rf"-[0-9a-f]{{{_HASH}}}")


def is_name(name: str, *, of_a_step: bool = False) -> bool:
    return (OWN_NAME if of_a_step else NAME).fullmatch(name) is not None


def name_for_requirements(requirements: Sequence[str]) -> str:
    """The name of the pool that a team shares for the built-in agent with these packages, in their canonical
    form: `python-requests-1a2b3c4d5e`. Two lists never get the same one."""
    digest = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:_HASH]
    words = "-".join(re.split(r"[^a-z0-9-]", text, maxsplit=1)[0] for text in requirements)
    room = LONGEST - len("python--") - _HASH
    return f"python-{words[:room].rstrip('-')}-{digest}"


def name_for_image(image: str, *, commands: bool = False) -> str:
    """The name of the pool that a team shares for an image, or for commands in it; two images never get the
    same one.

    An image's name that is a pool's name already is kept as it is. Where characters had to be replaced, or
    the end was cut, a hash of the image tells `acme/x:1` from `acme-x-1`.
    """
    kind = "commands" if commands else "image"
    plain = f"{kind}-{image}"
    if is_name(plain) and not _HASHED.fullmatch(plain[-_HASH - 1 :]):
        return plain
    digest = hashlib.sha256(image.encode()).hexdigest()[:_HASH]
    words = re.sub(r"[^a-z0-9]+", "-", image.lower()).strip("-")
    room = LONGEST - len(f"{kind}--") - _HASH
    return "-".join(filter(None, (kind, words[:room].rstrip("-"), digest)))
