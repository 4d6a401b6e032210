"""The loops of expressions (`map`, `filter`, `all`, `exists`, `exists_one`), cut out of an expression's text.

The evaluator copies what it has found for each element that it finds: over 10,000 elements it takes seconds,
and over 100,000 minutes. What is cut out here is gone over element by element instead, and its work counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from workflows.domain.work import TURN, Evaluate, ExpressionError, Work

KINDS = frozenset({"map", "filter", "all", "exists", "exists_one"})
# These the evaluator copies for; the others only when they look at more than their element.
_COPYING = frozenset({"map", "filter"})

_TOKEN = re.compile(
    r"""(?P<text>[rR]"[^"]*"|[rR]'[^']*'|[bB]?(?:\"{3}(?:[^\\]|\\.)*?\"{3}|'{3}(?:[^\\]|\\.)*?'{3}"""
    r"""|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'))|(?://[^\n]*)|(?P<name>[A-Za-z_]\w*)|(?P<number>\d\w*(?:\.\d\w*)?)"""
    r"""|(?P<sign>\S)""",
    re.DOTALL,
)
_PAIRS = {")": "(", "]": "[", "}": "{"}


class Unclear(ValueError):
    """It cannot be told where a loop begins or ends; the text says what to do."""

    def __init__(self) -> None:
        super().__init__("write what it loops over as a path or in parentheses")


@dataclass(frozen=True, slots=True)
class Loop:
    """``receiver.kind(variable, condition, body)``, and the name in its place; only `map` has a condition."""

    name: str
    kind: str
    receiver: str
    variable: str
    condition: str | None
    body: str


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int

    @property
    def ends_value(self) -> bool:
        return self.text in (")", "]", "}") or (self.kind != "sign" and self.text != "in")


def cut_out(text: str, looks_around: Callable[[str, str], bool]) -> tuple[str, tuple[Loop, ...]]:
    """The text with a name in the place of each loop, and the loops in the order in which they are needed.

    `looks_around(variable, body)` tells whether a body looks at more than its element; loops that the
    evaluator is good at stay in the text. Raises Unclear.
    """
    prefix = "_m"
    while prefix in text:
        prefix += "_"
    loops: list[Loop] = []
    passed = 0  # loops that stay
    while (found := _find(text, passed)) is not None:
        start, end, loop = found
        if loop.kind not in _COPYING and not looks_around(loop.variable, loop.body):
            passed += 1
            continue
        name = f"{prefix}{len(loops)}"
        loops.append(Loop(name, loop.kind, loop.receiver, loop.variable, loop.condition, loop.body))
        text = f"{text[:start]} {name} {text[end:]}"
    return text.strip(), tuple(loops)


def nests(text: str) -> bool:
    """Whether a loop stands in the arguments of another one. Raises Unclear."""
    tokens = _tokens(text)
    calls = [place for place in range(1, len(tokens) - 1) if _is_call(tokens, place)]
    closes = {opening: close for close, opening in _matches(tokens).items()}
    return any(inner < closes.get(outer + 1, 0) for outer, inner in pairwise(calls))


def _tokens(text: str) -> list[_Token]:
    return [
        _Token(match.lastgroup, match[0], match.start(), match.end())
        for match in _TOKEN.finditer(text)
        if match.lastgroup  # no comment
    ]


def _find(text: str, passed: int) -> tuple[int, int, Loop] | None:
    """Where the next loop begins and ends, after `passed` others."""
    tokens = _tokens(text)
    calls = [place for place in range(1, len(tokens) - 2) if _is_call(tokens, place)]
    if len(calls) <= passed:
        return None
    place = calls[passed]
    opens = _matches(tokens)
    closes = next((close for close, opening in opens.items() if opening == place + 1), None)
    if closes is None:
        raise Unclear
    first = tokens[_start_of_value(tokens, place - 2, opens)].start
    arguments = _arguments(text, tokens, place + 1, closes)
    variable = arguments[0].strip()
    most = 3 if tokens[place].text == "map" else 2
    if not re.fullmatch(r"[A-Za-z_]\w*", variable) or not 2 <= len(arguments) <= most:
        raise Unclear
    condition = arguments[1] if len(arguments) == 3 else None
    receiver = text[first : tokens[place - 1].start]
    loop = Loop("", tokens[place].text, receiver, variable, condition, arguments[-1])
    return first, tokens[closes].end, loop


def _is_call(tokens: list[_Token], place: int) -> bool:
    kind, before, after = tokens[place], tokens[place - 1], tokens[place + 1]
    return kind.kind == "name" and kind.text in KINDS and before.text == "." and after.text == "("


def _matches(tokens: list[_Token]) -> dict[int, int]:
    """Of each closing bracket, where its opening one is."""
    found: dict[int, int] = {}
    opened: list[int] = []
    for place, token in enumerate(tokens):
        if token.kind != "sign":
            continue
        if token.text in _PAIRS.values():
            opened.append(place)
        elif token.text in _PAIRS:
            if not opened or tokens[opened[-1]].text != _PAIRS[token.text]:
                raise Unclear
            found[place] = opened.pop()
    return found


def _start_of_value(tokens: list[_Token], place: int, opens: dict[int, int]) -> int:
    """The first token of the value that ends with the token at `place`: ``a.b[0].f(x)`` as a whole."""
    while True:
        if place < 0 or not tokens[place].ends_value:
            raise Unclear
        if tokens[place].text in _PAIRS and tokens[place].kind == "sign":
            place = opens[place]
            before = tokens[place - 1] if place else None
            opening = tokens[place].text
            if opening == "[" and before is not None and before.ends_value:
                place -= 1
                continue
            if opening != "[" and before is not None and before.kind == "name" and before.text != "in":
                place -= 1  # a call, or a value of a type
        if not place or tokens[place - 1].text != ".":
            return place
        place -= 2


def _arguments(text: str, tokens: list[_Token], opening: int, closing: int) -> list[str]:
    found: list[str] = []
    depth, start = 0, tokens[opening].end
    for token in tokens[opening + 1 : closing]:
        if token.kind == "sign":
            depth += (token.text in _PAIRS.values()) - (token.text in _PAIRS)
            if token.text == "," and not depth:
                found.append(text[start : token.start])
                start = token.end
    return [*found, text[start : tokens[closing].start]]


def compile_loop(loop: Loop, compile_part: Callable[[str], Evaluate]) -> Evaluate:
    """Goes over the elements one by one; raises ExpressionError."""
    receiver, body = compile_part(loop.receiver), compile_part(loop.body)
    condition = compile_part(loop.condition) if loop.condition is not None else None

    def run(scope: Mapping[str, Any], work: Work) -> Any:
        over = receiver(scope, work)
        if not isinstance(over, list | dict):
            raise ExpressionError(f"{loop.kind} goes over a list; here it got {type(over).__name__}")
        found: list[Any] = []
        for element in over:
            around = {**scope, loop.variable: element}
            work.spend(None, TURN)
            if condition is not None and not _holds(loop, condition(around, work)):
                continue
            value = body(around, work)
            if loop.kind == "map":
                work.spend(value)  # a path gives what is there already, and as often as there are elements
                found.append(value)
            elif _holds(loop, value) is not (loop.kind == "all"):
                if loop.kind in ("all", "exists"):
                    return loop.kind == "exists"
                found.append(element)
        return {"all": True, "exists": False, "exists_one": len(found) == 1}.get(loop.kind, found)

    return run


def _holds(loop: Loop, value: Any) -> bool:
    if not isinstance(value, bool):
        kind = type(value).__name__
        raise ExpressionError(f"the condition of {loop.kind} must give true or false; it gave {kind}")
    return value
