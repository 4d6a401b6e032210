"""`${…}` in documents: expressions of the Common Expression Language (CEL, cel.dev), compiled once.

A string that is one expression takes the expression's value, whatever its type; a string with text around
expressions becomes text. A plain path such as ``${steps.list.output}`` is looked up directly: a list of
100,000 elements must not be copied into the evaluator and back. Anything else runs in CEL, which cannot call
out or import, and loops over the elements of a list at most (loops inside loops are refused).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

# The package imports its own command line, and with it a terminal toolkit: 0.6 s and 15 MB in every process
# for something that is never called here.
sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))

import cel  # noqa: E402

MAX_LENGTH = 4096
ROOTS = frozenset({"params", "steps", "item", "index", "run"})

_TEMPLATE = re.compile(r"\$\{((?:[^{}\"']|\{[^{}]*\}|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')*)\}")
_PATH = re.compile(r"""^[A-Za-z_]\w*(?:\.[A-Za-z_][\w-]*|\[\d+\]|\["[^"\\]*"\]|\['[^'\\]*'\])*$""")
_PART = re.compile(r"""\.([A-Za-z_][\w-]*)|\[(\d+)\]|\["([^"\\]*)"\]|\['([^'\\]*)'\]""")
_BOUND = re.compile(r"\.(?:map|filter|all|exists|exists_one)\s*\(\s*([A-Za-z_]\w*)\s*,")
_TOKEN = re.compile(r"(\.(?:map|filter|all|exists|exists_one)\s*)?\(|\)")
_LITERAL = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_STEP = re.compile(r"""\bsteps(?:\.([A-Za-z_]\w*)|\[\s*(?:"([^"\\]*)"|'([^'\\]*)')\s*\])""")


class ExpressionError(ValueError):
    """The expression cannot be read, or gives no value here; the message is a sentence for its author."""


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression. `steps` are the ids of the steps that it looks at."""

    source: str
    roots: frozenset[str]
    steps: frozenset[str]
    _evaluate: Callable[[Mapping[str, Any]], Any]

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        """The value in `scope` (root name -> JSON value); ExpressionError when there is none."""
        try:
            return self._evaluate(scope)
        except ExpressionError:
            raise
        except (RuntimeError, TypeError, ValueError, KeyError, ZeroDivisionError, OverflowError) as exc:
            raise ExpressionError(f"${{{self.source}}} has no value: {_reason(exc)}") from exc


def _reason(exc: Exception) -> str:
    if isinstance(exc, KeyError):
        return f"there is no {exc.args[0]!r}" if exc.args else "a key is missing"
    return str(exc).splitlines()[0][:300]


@lru_cache(maxsize=4096)
def compile_expression(source: str) -> Expression:
    """Compiles the text between ``${`` and ``}``; ExpressionError with the place of a syntax error."""
    text = source.strip()
    if not text:
        raise ExpressionError("${} is empty: name a value, such as ${params.name}")
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {MAX_LENGTH} characters")
    if _PATH.match(text):
        return _compile_path(text)
    return _compile_cel(text)


def _nests_macros(text: str) -> bool:
    """Whether a macro (map, filter, all, …) stands inside another one's parentheses."""
    inside: list[bool] = []  # for each open parenthesis, whether it is a macro's
    for token in _TOKEN.finditer(_LITERAL.sub('""', text)):
        if token[0] == ")":
            if inside:
                inside.pop()
        else:
            is_macro = token[1] is not None
            if is_macro and any(inside):
                return True
            inside.append(is_macro)
    return False


def _compile_path(text: str) -> Expression:
    match = re.match(r"[A-Za-z_]\w*", text)
    root = match[0] if match else text
    parts: list[str | int] = [
        int(number) if number else (name or quoted or single)
        for name, number, quoted, single in _PART.findall(text[len(root) :])
    ]
    steps = frozenset({str(parts[0])}) if root == "steps" and parts else frozenset()

    def look_up(scope: Mapping[str, Any]) -> Any:
        value: Any = scope
        for part in (root, *parts):
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError) as exc:
                raise ExpressionError(f"${{{text}}} has no value: there is no {part!r}") from exc
        return value

    return Expression(text, frozenset({root}), steps, look_up)


def _compile_cel(text: str) -> Expression:
    if _nests_macros(text):
        raise ExpressionError(
            f"${{{text}}} loops inside a loop, which can take for ever; do this in a step's code"
        )
    try:
        program = cel.compile(text)
    except (ValueError, RuntimeError) as exc:
        raise ExpressionError(f"${{{text}}} cannot be read: {_reason(exc)}") from exc
    roots = frozenset(program.variables()) - frozenset(_BOUND.findall(text))
    steps = frozenset(dot or double or single for dot, double, single in _STEP.findall(text))

    def run(scope: Mapping[str, Any]) -> Any:
        needed = {name: scope[name] for name in roots if name in scope}
        if "steps" in needed:
            needed["steps"] = {name: scope["steps"][name] for name in steps if name in scope["steps"]}
        return program.execute(needed)

    return Expression(text, roots, steps, run)


def expressions_in(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every ``(JSON path, expression source)`` in a JSON value, depth first."""
    if isinstance(value, str):
        for match in _TEMPLATE.finditer(value):
            yield path, match[1]
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from expressions_in(child, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            yield from expressions_in(child, f"{path}[{index}]")


Resolver = Callable[[Mapping[str, Any]], Any]


def compile_template(value: Any) -> Resolver:
    """A JSON value with expressions in it, as a function from a scope to a JSON value."""
    if isinstance(value, str):
        return _compile_text(value)
    if isinstance(value, dict):
        fields = {key: compile_template(child) for key, child in value.items()}
        return lambda scope: {key: resolve(scope) for key, resolve in fields.items()}
    if isinstance(value, list | tuple):
        children = [compile_template(child) for child in value]
        return lambda scope: [resolve(scope) for resolve in children]
    return lambda scope: value


def _compile_text(text: str) -> Resolver:
    matches = list(_TEMPLATE.finditer(text))
    if not matches:
        return lambda scope: text
    if len(matches) == 1 and matches[0][0] == text.strip():
        return compile_expression(matches[0][1]).evaluate
    pieces: list[str | Expression] = []
    end = 0
    for match in matches:
        pieces += [text[end : match.start()], compile_expression(match[1])]
        end = match.end()
    pieces.append(text[end:])
    return lambda scope: "".join(
        piece if isinstance(piece, str) else _as_text(piece.evaluate(scope)) for piece in pieces
    )


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
