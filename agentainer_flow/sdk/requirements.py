"""The packages that a workflow's module imports: `@workflow(requirements=["requests==2.32.3"])`.

The platform checks them once more, and wholly; this tells what can be no requirement where it is written,
with the standard library alone, for agents import the same module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from agentainer_flow.errors import DefinitionError

MOST = 50
LONGEST = 200  # characters of one
# By PEP 508, without addresses: a name, extras, versions, a condition.
_REQUIREMENT = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
    r"(?: *\[[A-Za-z0-9._, -]*\])?"
    r"(?: *(?:~=|==|!=|<=|>=|<|>) *[A-Za-z0-9.*+!_-]+(?: *, *(?:~=|==|!=|<=|>=|<|>) *[A-Za-z0-9.*+!_-]+)*)?"
    r"(?: *; *[A-Za-z0-9._<>=!~'\"(), +-]+)?",
    re.ASCII,
)


def requirements_of(where: str, given: Iterable[str] | None) -> tuple[str, ...]:
    """Raises DefinitionError."""
    if given is None:
        return ()
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise DefinitionError(f'{where}: requirements is a list, such as ["requests==2.32.3"].')
    found = tuple(given)
    for one in found:
        fits = isinstance(one, str) and len(one) <= LONGEST and _REQUIREMENT.fullmatch(one.strip(" "))
        if not fits:
            raise DefinitionError(
                f"{where}: {one!r} is no requirement; write a package's name, with versions if you like, such"
                ' as "requests==2.32.3". Options of pip, files and addresses are not taken.'
            )
    if len(found) > MOST:
        raise DefinitionError(f"{where}: there are {len(found)} requirements; up to {MOST} will do.")
    return found
