"""`${…}` in documents: expressions of the Common Expression Language (CEL, cel.dev), compiled once.

A string that is one expression takes the expression's value, whatever its type; a string with text around
expressions becomes text. A plain path such as ``${steps.list.output}`` is looked up directly: a list of
100,000 elements must not be copied into the evaluator and back. Anything else runs in CEL, which cannot call
out or import, and loops over the elements of a list at most (loops inside loops are refused). What goes into
the evaluator and comes out of it is counted, and so is each turn of a loop: work without end is refused.
"""

from __future__ import annotations

import json
import math
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

from workflows.domain.loops import KINDS, Unclear, compile_loop, cut_out, nests  # noqa: E402
from workflows.domain.work import Evaluate, ExpressionError, Work  # noqa: E402

# What the evaluator raises, beside ExpressionError, where there is no value.
NO_VALUE = (RuntimeError, TypeError, ValueError, LookupError, ArithmeticError)

MAX_LENGTH = 4096
ROOTS = frozenset({"params", "steps", "item", "index", "run", "state"})

_WORDS = frozenset({"true", "false", "null"})  # values of the language that look like paths
_TEMPLATE = re.compile(r"\$\{((?:[^{}\"']|\{[^{}]*\}|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')*)\}")
_PATH = re.compile(r"""^[A-Za-z_]\w*(?:\.[A-Za-z_][\w-]*|\[\d+\]|\["[^"\\]*"\]|\['[^'\\]*'\])*$""")
_PART = re.compile(r"""\.([A-Za-z_][\w-]*)|\[(\d+)\]|\["([^"\\]*)"\]|\['([^'\\]*)'\]""")
_KINDS = "|".join(sorted(KINDS, reverse=True))
_BOUND = re.compile(rf"\.\s*(?:{_KINDS})\s*\(\s*([A-Za-z_]\w*)\s*,")
_LITERAL = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
_CHAIN = re.compile(
    _LITERAL
    + r"""|(?<![\w.])(?P<root>steps|params)"""
    + r"""(?P<links>(?:\.[A-Za-z_]\w*|\[\s*(?:\d+|[A-Za-z_]\w*|"[^"\\]*"|'[^'\\]*')\s*\])+)(?!\w)(?!\s*\()"""
)
_LINK = re.compile(r"""\.([A-Za-z_]\w*)|\[\s*(?:(\d+)|([A-Za-z_]\w*)|"([^"\\]*)"|'([^'\\]*)')\s*\]""")
_STEP = re.compile(r"""\bsteps(?:\.([A-Za-z_]\w*)|\[\s*(?:"([^"\\]*)"|'([^'\\]*)')\s*\])""")


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression. `steps` are the ids of the steps that it looks at; `path`, when it is nothing
    but a path, its root and what follows it."""

    source: str
    roots: frozenset[str]
    steps: frozenset[str]
    _evaluate: Evaluate
    path: tuple[str | int, ...] | None = None

    def reads(self, step: str, field: str) -> bool:
        """Whether that field of a step may be looked at (`output`, `failed`, …); no path looks at another."""
        if step not in self.steps:
            return False
        return self.path is None or len(self.path) < 3 or self.path[2] == field

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        """The value in `scope` (root name -> JSON value); ExpressionError when there is none."""
        try:
            return self._evaluate(scope, Work(self.source))
        except ExpressionError:
            raise
        except NO_VALUE as exc:
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
    if _PATH.match(text) and text not in _WORDS:
        return _compile_path(text)
    return _compile_cel(text)


def _compile_path(text: str) -> Expression:
    match = re.match(r"[A-Za-z_]\w*", text)
    root = match[0] if match else text
    parts: list[str | int] = [
        int(number) if number else (name or quoted or single)
        for name, number, quoted, single in _PART.findall(text[len(root) :])
    ]
    steps = frozenset({str(parts[0])}) if root == "steps" and parts else frozenset()

    def look_up(scope: Mapping[str, Any], _work: Work) -> Any:
        value: Any = scope
        for part in (root, *parts):
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError) as exc:
                raise ExpressionError(f"${{{text}}} has no value: there is no {part!r}") from exc
        return value

    return Expression(text, frozenset({root}), steps, look_up, (root, *parts))


def _compile_cel(text: str) -> Expression:
    whole = _compiled(text)  # also what is cut out of it has to be right
    try:
        if nests(text):
            raise ExpressionError(
                f"${{{text}}} loops inside a loop, which can take for ever; do this in a step's code"
            )
        rest, loops = cut_out(text, _looks_around)
    except Unclear as exc:
        raise ExpressionError(f"${{{text}}} cannot be read: {exc}") from exc
    steps = frozenset(dot or double or single for dot, double, single in _STEP.findall(text))
    bound = frozenset(_BOUND.findall(text))
    roots = frozenset(whole.variables()) - bound
    if not loops:
        return Expression(text, roots, steps, _compile_simple(text, whole))
    found = [(loop, compile_loop(loop, _compile_part)) for loop in loops]
    main = _compile_part(rest)

    def run(scope: Mapping[str, Any], work: Work) -> Any:
        values, failed = dict(scope), {}
        for loop, evaluate in found:
            try:
                values[loop.name] = evaluate(values, work)
            except (ExpressionError, *NO_VALUE) as exc:
                failed[loop.name] = exc  # it may stand in a branch that is never evaluated
        try:
            return main(values, work)
        except (ExpressionError, *NO_VALUE):
            if failed:  # what is missing is missing because of it
                raise next(iter(failed.values())) from None
            raise

    return Expression(text, roots, steps, run)


def _compiled(text: str) -> Any:
    try:
        return cel.compile(text)
    except (ValueError, RuntimeError) as exc:
        raise ExpressionError(f"${{{text}}} cannot be read: {_syntax(exc)}") from exc


def _looks_around(variable: str, body: str) -> bool:
    return bool(set(_compiled(body).variables()) - {variable})


def _compile_part(text: str) -> Evaluate:
    text = text.strip()
    if _PATH.match(text) and text not in _WORDS:
        return _compile_path(text)._evaluate
    return _compile_simple(text, _compiled(text))


def _compile_simple(text: str, program: Any) -> Evaluate:
    """Of text that the evaluator takes as it is."""
    bound = frozenset(_BOUND.findall(text))
    roots = frozenset(program.variables()) - bound
    steps = frozenset(dot or double or single for dot, double, single in _STEP.findall(text))
    shortened = _shorten(text, bound)

    def run(scope: Mapping[str, Any], work: Work) -> Any:
        values, chosen = None, program
        if shortened is not None and (values := shortened.values(scope)) is not None:
            chosen = shortened.program
        if values is None:
            values = {name: scope[name] for name in roots if name in scope}
            if "steps" in values:
                values["steps"] = {name: scope["steps"][name] for name in steps if name in scope["steps"]}
        work.spend(values)
        value = chosen.execute(values)
        work.spend(value)
        return _as_json(value, text)

    return run


_PLACE = re.compile(r"<input>:\d+:(\d+): Syntax error: .*?(?:input|at:) '([^']*)'")


def _syntax(exc: Exception) -> str:
    """The parser's complaint in few words; its list of what could have stood there helps nobody."""
    match = _PLACE.search(str(exc))
    if match is None:
        return _reason(exc)
    found = "the end" if match[2] == "<EOF>" else repr(match[2])
    return f"{found} at character {match[1]} was not expected"


@dataclass(frozen=True, slots=True)
class _Shortened:
    """The expression with a variable in the place of each path: ``steps.list.output[index] + 1`` becomes
    ``_0 + 1``, so that the list stays here and only its element is handed to the evaluator."""

    program: Any
    paths: tuple[tuple[str, tuple[str | int | _Name, ...]], ...]
    others: frozenset[str]  # variables that are no such path

    def values(self, scope: Mapping[str, Any]) -> dict[str, Any] | None:
        """None when a path leads nowhere: it may stand in a branch that is never evaluated."""
        values = {name: scope[name] for name in self.others if name in scope}
        try:
            for place, (root, parts) in enumerate(self.paths):
                value = scope[root]
                for part in parts:
                    value = _part_of(value, scope[part.name] if isinstance(part, _Name) else part)
                values[f"_{place}"] = value
        except (LookupError, TypeError):
            return None
        return values


@dataclass(frozen=True, slots=True)
class _Name:
    """A variable between brackets."""

    name: str


def _part_of(value: Any, part: Any) -> Any:
    # Python would count from the end, and take True for 1; the evaluator does neither.
    if isinstance(value, list) and (type(part) is not int or part < 0):
        raise LookupError(part)
    return value[part]


def _shorten(text: str, bound: frozenset[str]) -> _Shortened | None:
    if bound & {"steps", "params", "index"} or "has(" in text.replace(" ", ""):
        return None
    paths: list[tuple[str, tuple[str | int | _Name, ...]]] = []

    def replace(match: re.Match[str]) -> str:
        if match["root"] is None:
            return match[0]
        parts: list[str | int | _Name] = []
        for member, number, name, double, single in _LINK.findall(match["links"]):
            parts.append(int(number) if number else _Name(name) if name else member or double or single)
        paths.append((match["root"], tuple(parts)))
        return f"_{len(paths) - 1}"

    shorter = _CHAIN.sub(replace, text)
    if not paths:
        return None
    program = cel.compile(shorter)
    own = {f"_{place}" for place in range(len(paths))}
    return _Shortened(program, tuple(paths), frozenset(program.variables()) - own - bound)


def _as_json(value: Any, text: str) -> Any:
    """The value, when JSON has one like it: CEL knows durations, times and bytes too."""
    if isinstance(value, dict):
        return {str(key): _as_json(child, text) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(child, text) for child in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    kind = str(value) if isinstance(value, float) else f"a {type(value).__name__}"
    raise ExpressionError(f"${{{text}}} gives {kind}, which is not JSON; make it text with string(…)")


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


def plain_path(template: Any) -> tuple[str | int, ...] | None:
    """The path of a template that is nothing but one: ``("steps", "list", "output", "files")``."""
    found = list(expressions_in(template)) if isinstance(template, str) else []
    if len(found) != 1 or template.strip() != f"${{{found[0][1]}}}":
        return None
    return compile_expression(found[0][1]).path


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
