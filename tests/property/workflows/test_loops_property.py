"""Loops that are gone over one element at a time give what the evaluator gives by itself."""

from __future__ import annotations

from typing import Any

import cel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.domain.expressions import compile_expression
from workflows.domain.work import ExpressionError

SCOPE = {
    "params": {"l": [3, 1, 2], "e": [], "n": 2, "d": {"a": 1, "b": 2}, "s": "a.map(x, x)"},
    "steps": {"a": {"output": {"rows": [{"n": 1, "t": ["x"]}, {"n": 5, "t": []}]}}},
    "index": 1,
}

numbers = st.sampled_from(
    [
        "params.l",
        "params.e",
        "(params.l + [7])",
        "[1, 2, params.n]",
        '{"k": params.l}["k"]',
        "steps.a.output.rows.map(r, r.n)",
        'steps["a"].output.rows.map(r, r.n > 1, r.n * 2)',
        "params.l.filter(x, x > 1)",
        "params . l . filter( x , x != index )",
    ]
)
bodies = st.sampled_from(
    ["v > 1", "v > params.n", "v in params.l", "v == size(')')", "!(v == 2)", "v / 0 > 1"]
)
values = st.sampled_from(
    ["v", "v + 1", "[v, params.n]", '{"v": v}', "params.l", "(v + 1) * (v + 2)", "v / 0"]
)


@st.composite
def sources(draw: st.DrawFn) -> str:
    over = draw(numbers)
    kind = draw(st.sampled_from(["map", "filter", "all", "exists", "exists_one", "map3"]))
    if kind == "map":
        loop = f"{over}.map(v, {draw(values)})"
    elif kind == "map3":
        loop = f"{over}.map(v, {draw(bodies)}, {draw(values)})"
    else:
        loop = f"{over}.{kind}(v, {draw(bodies)})"
    if kind in ("map", "map3", "filter"):
        around = [
            "{}",
            "size({}) > 1",
            "{}.size()",
            "[{}, params.l]",
            "params.n > 5 ? [] : {}",
            '{{"k": {}}}',
        ]
    else:
        around = ["{}", "!{}", "({}) || params.n == 2", "params.n > 5 && {}", "{} ? '.map(a, b)' : 's'"]
    return draw(st.sampled_from(around)).format(loop)


def outcome(evaluate: Any) -> Any:
    try:
        return evaluate()
    except (ExpressionError, RuntimeError, TypeError, ValueError, ArithmeticError, LookupError):
        return "an error"


@given(sources())
def test_the_same_as_the_evaluator(source: str) -> None:
    alone = outcome(lambda: cel.compile(source).execute(SCOPE))
    assert outcome(lambda: compile_expression(source).evaluate(SCOPE)) == alone


@pytest.mark.parametrize(
    "source",
    [
        "has(params.missing) ? params.missing.map(x, x) : [0]",
        "params.n > 5 ? params.missing.filter(x, x > 1) : [0]",
        "// params.l.map(x,\n[0]",
        "[0] // .map(x, x)",
    ],
)
def test_a_loop_that_is_never_reached_may_lead_nowhere(source: str) -> None:
    assert compile_expression(source).evaluate(SCOPE) == [0]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("params.missing.map(x, x)", "there is no 'missing'"),
        ("size(params.missing.map(x, x))", "there is no 'missing'"),
        ("params.n.map(x, x)", "map goes over a list; here it got int"),
        ("params.l.filter(x, x)", "filter must give true or false; it gave int"),
    ],
)
def test_what_is_wrong_with_a_loop_is_told(source: str, sentence: str) -> None:
    with pytest.raises(ExpressionError, match=sentence):
        compile_expression(source).evaluate(SCOPE)


LONG = list(range(20_000))


@pytest.mark.parametrize(
    "source",
    [
        "params.l.map(x, params.l)",
        "params.l.filter(x, x in params.l)",
        "params.l.all(x, size(params.l) > x)",
        "params.l.exists(x, size(params.l + params.l) < x)",
        "params.l.map(x, params.s + params.s)",
        f"[{', '.join(['params.l'] * 200)}]",
        " + ".join(["params.s"] * 300),
        "params.wide.map(x, x + 1)",
    ],
)
def test_work_without_end_is_refused(source: str) -> None:
    scope = {"params": {"l": LONG, "s": "x" * 1_000_000, "wide": [0] * 500_000}}
    with pytest.raises(ExpressionError, match="too much work for an expression"):
        compile_expression(source).evaluate(scope)


def test_a_long_list_is_gone_over_once() -> None:
    scope = {"params": {"l": LONG}}
    assert compile_expression("params.l.map(x, x + 1)").evaluate(scope) == [x + 1 for x in LONG]
    assert compile_expression("size(params.l.filter(x, x % 2 == 0))").evaluate(scope) == 10_000
    assert compile_expression("params.l.all(x, x >= 0)").evaluate(scope) is True
