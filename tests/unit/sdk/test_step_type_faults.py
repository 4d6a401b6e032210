"""What is refused of steps without a body, of their order and of their inputs, when the class is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

import agentainer_flow
from agentainer_flow import DefinitionError, step, workflow

# For calls that a type checker would refuse already.
flow: Any = agentainer_flow
approval, branch, case, loop = flow.approval, flow.branch, flow.case, flow.loop
mapreduce, subworkflow, wait, RetryPolicy = flow.mapreduce, flow.subworkflow, flow.wait, flow.RetryPolicy

Made = Callable[[], object]


def module_mapper(item: Any) -> Any:
    return item


def odd_reducer(counts: Any) -> Any:
    return counts


def two_things(item: Any, other: Any) -> Any:
    return item, other


def refused(make: Made) -> str:
    with pytest.raises(DefinitionError) as caught:
        make()
    return str(caught.value)


def named(method_name: str, **options: Any) -> Any:
    def method(self: Any, ctx: Any) -> None:
        pass

    method.__name__ = method_name
    return step(**options)(method)


def taking(*parameters: str, **options: Any) -> Any:
    """A step `a` with these parameters."""
    namespace: dict[str, Any] = {}
    exec(f"def a(self, ctx, {', '.join(parameters)}): pass", namespace)
    return step(**options)(namespace["a"])


def made(**parts: Any) -> Any:
    methods = {key: named(key) if part is ... else part for key, part in parts.items()}
    return workflow(type("Sample", (), methods))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: branch(), "branch(…) needs a condition"),
        (lambda: branch(a=3), "a must be an expression"),
        (lambda: branch(a="${x} && ${y}"), "a is one expression"),
        (lambda: branch(a="${}"), "a is one expression"),
        (lambda: branch("params.x"), "takes a list of case"),
        (lambda: branch(["params.x"]), "takes a list of case"),
        (lambda: branch(a="params.x", otherwise=3), "otherwise takes names of steps"),
        (lambda: case(when="params.x"), "case(…): "),
        (lambda: loop([], until="index > 3"), "loop(…) needs a step"),
        (lambda: loop(["a"]), "missing a required argument: 'until'"),
        (lambda: loop(["a"], until="index > 3", max_iteration=3), "did you mean max_iterations?"),
        (lambda: loop(["a"], until="index > 3", max_iterations=0), "max_iterations must be a whole number"),
        (lambda: loop(["a"], until="index > 3", input={"x": object()}), "input must be JSON"),
        (lambda: wait(), "takes one of a duration, until=… and event=…"),
        (lambda: wait("1s", event="x"), "takes one of"),
        (lambda: wait("soon"), "duration must be a duration"),
        (lambda: wait("1s", timeout="1s"), "timeout goes with event"),
        (lambda: wait(event="x", timeout=0), "a timeout of 0 lets nothing run"),
        (lambda: wait(until="tomorrow"), "until must be a time with its zone"),
        (lambda: wait(until=datetime(2027, 1, 1)), "until must be a time with its zone"),  # noqa: DTZ001
        (lambda: approval(3), "prompt must be text"),
        (lambda: approval("?", form="title"), "form is a JSON Schema"),
        (lambda: approval("?", approvers=["operator"]), 'approvers are "role:NAME" or "user:NAME"'),
        (lambda: approval("?", approvers=[]), "approvers is empty"),
        (lambda: approval("?", on_timeout="rejct"), "Did you mean 'reject'?"),
        (lambda: approval("?", on_reject="go on"), "on_reject must be one of fail, continue"),
        (lambda: approval("?", approver="role:x"), "did you mean approvers?"),
        (lambda: subworkflow("Code Census"), "takes a workflow's name or its class"),
        (lambda: subworkflow(int), "is not a workflow"),
        (lambda: subworkflow("x", params=3), "params must be an expression"),
        (lambda: subworkflow("x", version=0), "version must be a whole number"),
        (lambda: mapreduce(over="params.x"), "missing a required argument: 'mapper'"),
        (lambda: mapreduce(module_mapper), "too many positional arguments"),
        (lambda: mapreduce(mapper=3), "mapper must be an image, a method or a function"),
        (lambda: mapreduce(mapper=lambda x: x), "which agents can import"),
        (lambda: mapreduce(mapper=two_things), "one parameter for the item"),
        (lambda: mapreduce(mapper="m:1", reducer=odd_reducer), "gets the results as results"),
        (lambda: mapreduce(mapper="m:1", min_success_rate=0.5), "only counts with"),
        (lambda: mapreduce(mapper="m:1", max_paralel=3), "did you mean max_parallel?"),
        (lambda: mapreduce(mapper="m:1", batch_size=0), "batch_size must be a whole number"),
        (lambda: mapreduce(mapper="m:1", over="params.x")(named("a")), "leave over and source out"),
        (lambda: mapreduce(mapper="m:1")(named("a")), "exclude each other"),
        (lambda: mapreduce(mapper="m:1")(3), "goes on a method that returns"),
        (lambda: wait("1s", name=""), "name must be text"),
        (lambda: wait("1s", when=3), "when must be an expression"),
        (lambda: wait("1s", always_run="yes"), "always_run must be True or False"),
        (lambda: wait("1s", depends_on=3), "depends_on takes names of steps"),
        (lambda: RetryPolicy(retry_on=[3]), "retry_on takes exceptions or their names"),
        (lambda: RetryPolicy(retry_on=3), "retry_on takes exceptions"),
    ],
)
def test_bad_values_are_told_where_they_stand(make: Made, sentence: str) -> None:
    assert sentence in refused(make)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"when": ""}, "when must be an expression"),
        ({"streaming": True}, "streaming=True goes with reduce=True"),
        ({"batch_size": 3}, "batch_size goes with parallel=True"),
        ({"timeout": 0}, "a timeout of 0"),
        ({"compensate": 3}, "compensate takes names of steps"),
        ({"input": {"params": 1}}, "params are the run's"),
        ({"input": {"x": float("nan")}}, "input must be JSON"),
        ({"parallel": True, "input": "${params}"}, "input is a dict"),
        ({"reduce": True, "streaming": True, "image": "i:1"}, "an image gets a list"),
        ({"reduce": True, "streaming": True, "command": "ls"}, "a command gets a list"),
        ({"command": []}, "command is a line for a shell"),
        ({"command": ["", "x"]}, "command is a line for a shell"),
        ({"command": ["ls", 3]}, "command is a line for a shell"),
        ({"command": 3}, "command is a line for a shell"),
        ({"command": ""}, "command must be"),
    ],
)
def test_bad_arguments_of_methods_are_told(options: dict[str, Any], sentence: str) -> None:
    assert sentence in refused(lambda: named("a", **options))


def test_input_fills_parameters_that_are_there() -> None:
    assert "did you mean text?" in refused(lambda: made(a=taking("text", input={"txt": "x"})))
    assert "input is a dict" in refused(lambda: made(a=taking("text", input="${params}")))
    assert "fill others by input" in refused(lambda: taking("one", "two", parallel=True))


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (
            {"r": branch(lrage="params.x"), "large": ...},
            "chooses lrage, which is no step; did you mean large",
        ),
        ({"r": branch(r="params.x")}, "step r cannot choose itself"),
        ({"a": wait("1s", depends_on="b")}, "depends on b, which is no step"),
        ({"a": wait("1s", depends_on=wait("2s"))}, "a wait(…) that is no attribute of the class"),
        ({"a": ..., "r": branch(a="params.x", depends_on="a")}, "wait for each other"),
        ({"a": wait("1s", when="steps.b.output")}, "reads steps.b, and there is no such step"),
        (
            {"a": named("a", name="a-b"), "b": wait("1s", when="steps.a-b.output > 1")},
            "reads steps.a, and there is no such step",
        ),
        ({"a": wait("1s", when="steps.a.output")}, "a step cannot read itself"),
        ({"a": wait("1s", when="steps.b.output"), "b": ...}, "add b to depends_on"),
        ({"a": named("a", compensate="b")}, "is undone by b, which is no step"),
        ({"a": named("a", compensate="a")}, "cannot undo itself"),
        ({"a": named("a", compensate="c"), "b": named("b", compensate="c"), "c": ...}, "undoes two steps"),
        ({"a": named("a", compensate="b"), "b": named("b", depends_on="a")}, "step b only undoes"),
        ({"a": named("a", compensate="b"), "b": named("b", always_run=True)}, "step b only undoes"),
        (
            {"a": named("a", compensate="b"), "b": ..., "c": named("c", depends_on="b")},
            "c depends on b, which",
        ),
        ({"a": named("a", compensate="b"), "b": ..., "r": branch(b="params.x")}, "no way of a branch"),
        ({"again": loop("b", until="index > 1")}, "step again runs b, which is no step"),
        ({"again": loop("again", until="index > 1")}, "Loops stand inside each other: again → again"),
        ({"a": ..., "x": loop("a", until=True), "y": loop("a", until=True)}, "runs a, and so does x"),
        ({"a": ..., "x": loop("a", until=True), "b": named("b", depends_on="a")}, "name the loop instead"),
        (
            {"a": ..., "b": named("b", depends_on="a"), "x": loop("b", until=True)},
            "outside of the loop x; let the loop depend on it",
        ),
        ({"a": named("a", compensate="b"), "b": ..., "x": loop("a", until=True)}, "put it on the loop"),
        ({"a": ..., "x": loop("a", until="steps.y.output")}, "there is no such step"),
        ({"a": ..., "x": loop("a", until="steps.y.output"), "y": ...}, "add y to depends_on"),
        (
            {
                "a": ...,
                "k": loop("a", until=True),
                "l": loop("k", until=True),
                "m": loop("l", until=True),
                "n": loop("m", until=True),
            },
            "3 deep at most",
        ),
        ({"a": subworkflow("sample")}, "would start itself without end"),
        ({"m": mapreduce(mapper="m:1")}, "needs over=…"),
        ({"m": mapreduce(mapper="m:1", over="numbers")}, "maps over numbers, which is no step"),
        ({"m": mapreduce(mapper="m:1", over="b"), "b": ...}, "reads steps.b, which has not run by then"),
        ({"c": case("params.x", "a"), "a": ...}, "goes inside branch"),
        ({"a": ..., "t": named("t", reduce=True, streaming=True)}, "results of a parallel step as they come"),
        ({"x" * 60: named("x" * 60, pool_size=1)}, "over 63 characters"),
    ],
)
def test_what_does_not_fit_together_is_told(parts: dict[str, Any], sentence: str) -> None:
    assert sentence in refused(lambda: made(**parts))


def test_mappers_are_methods_of_the_class_or_functions_that_agents_get() -> None:
    class Other:
        def count(self, ctx: Any, item: Any) -> Any: ...

        @step
        def whole(self, ctx: Any) -> Any: ...

    assert "leave @step off" in refused(lambda: mapreduce(over=[], mapper=Other.whole))
    assert "its mapper and its reducer" in refused(
        lambda: mapreduce(over=[], mapper=Other.count, reducer=Other.count)
    )
    assert "is no method of Sample" in refused(lambda: made(m=mapreduce(over=[], mapper=Other.count)))
    elsewhere = type("Sample", (), {"__module__": "m", "m": mapreduce(over=[], mapper=module_mapper)})
    assert "which agents do not get" in refused(lambda: workflow(elsewhere))


def test_the_step_of_the_items_has_its_name_alone() -> None:
    def words(self: Any, ctx: Any) -> Any: ...

    parts = {"words": mapreduce(mapper="m:1")(words), "words_items": ...}
    assert "makes a step words_items" in refused(lambda: made(**parts))


def test_a_decorated_method_undoes_nothing() -> None:
    def undo(self: Any, ctx: Any) -> Any: ...

    parts = {"a": named("a", compensate="undo"), "undo": mapreduce(mapper="m:1")(undo)}
    assert "only undoes" in refused(lambda: made(**parts))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"timeout": "soon"}, "timeout must be a duration"),
        ({"failure_strategy": "continue_on_partial"}, "failure_strategy must be one of fail_fast, continue"),
    ],
)
def test_settings_of_the_whole_are_checked(options: dict[str, Any], sentence: str) -> None:
    assert sentence in refused(lambda: workflow(**options)(type("Sample", (), {"a": named("a")})))
