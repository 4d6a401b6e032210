"""`${…}` in documents, evaluated here as the platform does it.

Plain paths need nothing. Anything else is evaluated by the library that the platform uses for it (CEL), which
the extra `local` installs.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import ModuleType
from typing import Any

from agentainer_flow.errors import FlowError
from agentainer_flow.sdk.inputs import EXPRESSION, steps_read

_WORDS = frozenset({"true", "false", "null"})
_PATH = re.compile(r"""^[A-Za-z_]\w*(?:\.[A-Za-z_][\w-]*|\[\d+\]|\["[^"\\]*"\]|\['[^'\\]*'\])*$""")
_PART = re.compile(r"""^([A-Za-z_]\w*)|\.([A-Za-z_][\w-]*)|\[(\d+)\]|\["([^"\\]*)"\]|\['([^'\\]*)'\]""")


class ExpressionError(ValueError):
    """An expression gives no value here; the message is a sentence."""


def resolve(template: Any, scope: Mapping[str, Any]) -> Any:
    """The JSON value `template` with the values of its expressions in `scope` (root name -> JSON value).

    Raises ExpressionError.
    """
    if isinstance(template, str):
        return _text(template, scope)
    if isinstance(template, Mapping):
        return {key: resolve(child, scope) for key, child in template.items()}
    if isinstance(template, list | tuple):
        return [resolve(child, scope) for child in template]
    return template


def steps_in(*templates: Any) -> set[str]:
    """The ids of the steps that the expressions in `templates` look at."""
    return {name for template in templates for name in steps_read(template)}


def _text(text: str, scope: Mapping[str, Any]) -> Any:
    matches = list(EXPRESSION.finditer(text))
    if len(matches) == 1 and matches[0][0] == text.strip():
        return _evaluate(matches[0][1].strip(), scope)
    return EXPRESSION.sub(lambda match: _shown(_evaluate(match[1].strip(), scope)), text)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _evaluate(source: str, scope: Mapping[str, Any]) -> Any:
    if _PATH.match(source) and source not in _WORDS:
        return _look_up(source, scope)
    try:
        program = _compiled(source)
        names = set(program.variables())
        value = program.execute({name: scope[name] for name in names if name in scope})
    except (RuntimeError, TypeError, ValueError, LookupError, ArithmeticError) as exc:
        raise ExpressionError(f"${{{source}}} has no value: {str(exc).splitlines()[0][:300]}") from exc
    return _as_json(value, source)


def _look_up(source: str, scope: Mapping[str, Any]) -> Any:
    value: Any = scope
    for part in _parts(source):
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError) as exc:
            raise ExpressionError(f"${{{source}}} has no value: there is no {part!r}") from exc
    return value


def _parts(source: str) -> Iterator[str | int]:
    for root, member, number, double, single in _PART.findall(source):
        yield int(number) if number else root or member or double or single


@lru_cache(maxsize=1024)
def _compiled(source: str) -> Any:
    # The package imports its own command line, which is never called here.
    sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
    try:
        import cel
    except ImportError:
        raise FlowError(
            f"${{{source}}} is more than a path, which local runs evaluate with the platform's own library:"
            " pip install 'agentainer-flow[local]'."
        ) from None
    return cel.compile(source)


def _as_json(value: Any, source: str) -> Any:
    """CEL knows durations, times and bytes too; JSON does not."""
    if isinstance(value, dict):
        return {str(key): _as_json(child, source) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(child, source) for child in value]
    plain = value is None or isinstance(value, bool | int | str)
    if plain or (isinstance(value, float) and math.isfinite(value)):
        return value
    kind = str(value) if isinstance(value, float) else f"a {type(value).__name__}"
    raise ExpressionError(f"${{{source}}} gives {kind}, which is not JSON; make it text with string(…)")
