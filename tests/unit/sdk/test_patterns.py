"""Patterns are steps that were written as one: what they compile to, and what comes of them."""

from __future__ import annotations

from typing import Any, cast

import pytest

from agentainer_flow import Context, DefinitionError, branch, compile_workflow, step, workflow
from agentainer_flow.patterns import batch_process, pipeline, scatter_gather
from agentainer_flow.testing import mock_agent, run_workflow_locally
from workflows.domain.validation import check_document

PARAMS = {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}}


def halve(number: int) -> float:
    return number / 2


def both(values: dict[str, Any], ctx: Context) -> list[Any]:
    ctx.log("both")
    return [values["double"], values["negate"]]


@workflow(params=PARAMS)
class Patterns:
    def double(self, ctx: Context, number: int) -> int:
        return 2 * number

    def negate(self, ctx: Context, number: int) -> int:
        if number > 100:
            raise ValueError("too much")
        return -number

    @step
    def start(self, ctx: Context, n: int) -> int:
        return n

    line = pipeline(double, "adder:1", double, timeout="10s")
    fan = scatter_gather(double, negate, gather=both, error_strategy="continue")
    plain = scatter_gather(double, "adder:1", depends_on="line", name="together")
    halves = batch_process(halve, over="fan", batch_size=2, depends_on=["plain", "fan"])

    @step(depends_on=[line, plain, halves])
    def end(self, ctx: Context, line: int, plain: Any, halves: list[float]) -> Any:
        return [line, plain, halves]


def test_they_give_what_their_parts_give() -> None:
    with mock_agent("adder").does(lambda value: value + 1):
        run = run_workflow_locally(Patterns, {"n": 4})
    assert run.result() == [18, {"double": 36, "adder": 19}, [18.0, -9.0]]
    assert run.step("fan_double")["output"] == 36
    assert run.step("line")["output"] == 18


def test_a_worker_may_fail() -> None:
    with mock_agent("adder").does(lambda value: value + 1):
        run = run_workflow_locally(Patterns, {"n": 100})
    assert run.step("fan_negate")["state"] == "failed"
    assert run.step("fan")["output"] == [804, None]


def test_the_platform_finds_no_fault_and_ids_follow_the_name() -> None:
    document = compile_workflow(Patterns)
    assert check_document(document)[1] == []
    needs = {one["id"]: one.get("needs", []) for one in document["steps"]}
    assert needs == {
        "start": [],
        "line_double": ["start"],
        "line_adder": ["line_double"],
        "line": ["line_adder"],
        "fan_input": ["line"],
        "fan_double": ["fan_input"],
        "fan_negate": ["fan_input"],
        "fan": ["fan_double", "fan_negate"],
        "together_input": ["line"],
        "together_double": ["together_input"],
        "together_adder": ["together_input"],
        "together": ["together_double", "together_adder"],
        "halves": ["together", "fan"],
        "end": ["line", "together", "halves"],
    }
    assert [one["timeout"] for one in document["steps"] if one["id"].startswith("line")] == ["10s"] * 3


def test_a_branch_begins_them_at_their_beginning() -> None:
    @workflow(params=PARAMS)
    class Ways:
        route = branch(line="params.n > 1", otherwise="fan")
        line = pipeline("a:1", "b:1")
        fan = scatter_gather("a:1", "a:2")

    with mock_agent("*").returns(7):
        assert run_workflow_locally(Ways, {"n": 2}).step("line")["state"] == "completed"
        other = run_workflow_locally(Ways, {"n": 1})
    assert other.step("line")["state"] == "skipped"
    assert other.step("fan")["output"] == {"a": 7, "a_2": 7}


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: pipeline(), "needs a stage"),
        (lambda: scatter_gather("a:1"), "two workers or more"),
        (lambda: scatter_gather("a:1", "b:1", error_strategy="continue_on_partial"), "fail_fast, continue"),
        (lambda: pipeline(lambda value: value), "which agents can import"),
        (lambda: pipeline(cast(Any, 3)), "must be an image, a method or a function"),
        (lambda: cast(Any, pipeline)("a:1", steps=1), "no argument steps"),
        (lambda: batch_process("a:1", batch_size=0), "batch_size must be a whole number from 1"),
    ],
)
def test_what_makes_no_sense_is_told_where_it_stands(make: Any, sentence: str) -> None:
    with pytest.raises(DefinitionError, match=sentence):
        make()
