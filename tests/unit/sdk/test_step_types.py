"""Every type of step that a class may have, as the document has it."""

from __future__ import annotations

from typing import Any

import pytest

from agentainer_flow import (
    branch,
    case,
    compile_workflow,
    loop,
    mapreduce,
    patterns,
    step,
    subworkflow,
    wait,
    workflow,
)
from agentainer_flow.sdk.bundling import make_bundle
from agentainer_flow.sdk.definition import definition_of
from tests.unit.sdk.every_step import EveryStep
from workflows.domain.validation import check_document

DOCUMENT = compile_workflow(EveryStep)
BUNDLE = make_bundle(EveryStep)
STEPS = {one["id"]: one for one in DOCUMENT["steps"]}
PARAMS = {"params": "${params}"}


def handler(name: str) -> dict[str, str]:
    return {"handler": f"{BUNDLE.module}:{name}", "bundle": BUNDLE.sha256}


def test_the_platform_finds_no_fault_in_it() -> None:
    document, faults = check_document(DOCUMENT)
    assert faults == []
    assert document is not None
    types = {step.type for _, step in document.all_steps()}
    assert types == {"task", "map", "reduce", "mapreduce", "branch", "loop", "workflow", "approval", "wait"}


def test_settings_of_the_whole() -> None:
    assert (DOCUMENT["timeout"], DOCUMENT["failure_strategy"]) == ("2h", "continue")
    assert DOCUMENT["output"] == "${steps.clean.output}"
    assert list(STEPS) == [
        "check", "route", "large", "forget", "tell", "small_items", "small", "draft", "refine", "at", "go",
        "listing", "each", "join", "clean",
    ]  # fmt: skip


def test_a_sub_workflow() -> None:
    assert STEPS["check"] == {
        "id": "check",
        "type": "workflow",
        "workflow": "code-census",
        "version": 3,
        "params": {"root": "${params.root}"},
        "timeout": "5m",
    }
    assert subworkflow(EveryStep).workflow == "every-step"


def test_a_branch() -> None:
    assert STEPS["route"] == {
        "id": "route",
        "type": "branch",
        "needs": ["check"],
        "cases": [{"when": "${steps.check.output.files > 1000}", "then": ["large", "tell"]}],
        "else": ["small_items"],
    }


def test_a_mapreduce_of_functions() -> None:
    assert STEPS["large"] == {
        "id": "large",
        "type": "mapreduce",
        "compensate": "forget",
        "over": "${params.files}",
        "input": {"file": "${item}"},
        "mapper": handler("measure"),
        "reducer": handler("add"),
        "batch_size": 10,
        "pool": {"mode": "pooled", "size": 2},
        "max_parallel": 4,
        "timeout": "30s",
        "error_strategy": "continue_on_partial",
        "min_success_rate": 0.5,
    }


def test_a_mapreduce_as_a_decorator_is_two_steps() -> None:
    retry = STEPS["small"]["retry"]
    assert retry["retry_on"] == ["TimeoutError", "timeout"]
    assert STEPS["small_items"] == {
        "id": "small_items",
        "type": "task",
        "input": {"files": "${params.files}", **PARAMS},
        "run": handler("EveryStep.small"),
        "retry": retry,
    }
    assert STEPS["small"] == {
        "id": "small",
        "type": "mapreduce",
        "needs": ["small_items"],
        "over": "${steps.small_items.output.items}",
        "input": {"item": "${item}"},
        "mapper": handler("EveryStep.length"),
        "reducer": handler("EveryStep.total"),
        "retry": retry,
    }


def test_what_undoes_has_what_it_undoes() -> None:
    assert STEPS["forget"]["input"] == {"input": "${steps.large.output}", **PARAMS}
    assert "needs" not in STEPS["forget"]


def test_an_approval() -> None:
    assert STEPS["tell"] == {
        "id": "tell",
        "type": "approval",
        "prompt": "Is it?",
        "form": {"type": "object"},
        "approvers": ["user:ann"],
        "timeout": 60,
        "on_reject": "continue",
    }


def test_a_join_waits_for_the_branch_and_all_its_ways() -> None:
    assert STEPS["draft"]["needs"] == ["route", "large", "tell", "small"]
    assert STEPS["draft"]["input"] == {
        "first": "${params.files}",
        "small": "${steps.small.output}",
        "check": "${steps.check.output}",
        **PARAMS,
    }


def test_a_loop() -> None:
    loop_step = dict(STEPS["refine"])
    improve, rest, judge = loop_step.pop("steps")
    assert loop_step == {
        "id": "refine",
        "type": "loop",
        "needs": ["draft"],
        "input": "${steps.draft.output}",
        "until": "${steps.judge.output}",
        "max_iterations": 5,
    }
    assert improve["input"] == {"item": "${item}", "index": "${index}", **PARAMS}
    assert rest == {
        "id": "rest",
        "type": "wait",
        "name": "A rest",
        "needs": ["improve"],
        "when": "${steps.improve.output.index > 0}",
        "duration": "10ms",
    }
    assert judge["needs"] == ["improve"]
    assert judge["input"] == {
        "improve": "${steps.improve.output}",
        "draft": "${steps.draft.output}",
        **PARAMS,
    }


def test_waits() -> None:
    assert STEPS["at"]["until"] == "2027-01-31T09:00:00+00:00"
    event = {"type": "wait", "event": "go-${params.root}", "timeout": "1h"}
    assert STEPS["go"] == {"id": "go", "needs": ["at"], **event}
    assert wait("${params.pause}").duration == "${params.pause}"
    assert wait(5).duration == 5


def test_more_of_parallel_and_reduce_steps() -> None:
    assert STEPS["each"]["batch_size"] == 5
    assert STEPS["each"]["input"] == {"item": "${item}", "root": "${params.root}", **PARAMS}
    assert STEPS["join"]["streaming"] is True
    assert STEPS["join"]["input"] == PARAMS
    assert (STEPS["clean"]["always_run"], STEPS["clean"]["when"]) == (True, True)


# --- smaller ones -----------------------------------------------------------------------------------------


def named(method_name: str, **options: Any) -> Any:
    def method(self: Any, ctx: Any) -> None:
        pass

    method.__name__ = method_name
    return step(**options)(method)


def needs_of(**parts: Any) -> dict[str, list[str]]:
    """What the steps of a class with these attributes wait for."""
    methods = {key: named(key) if part is ... else part for key, part in parts.items()}
    cls: Any = workflow(type("Sample", (), methods))
    return dict(definition_of(cls).needs)


def test_ways_may_have_several_steps() -> None:
    found = needs_of(
        a=..., route=branch(b="params.x", otherwise="d"), b=..., c=..., d=..., end=..., after=...
    )
    assert found == {
        "a": [], "route": ["a"], "b": [], "c": ["b"], "d": [], "end": ["route", "c", "d"], "after": ["end"]
    }  # fmt: skip


def test_a_step_of_a_way_may_name_what_it_follows() -> None:
    shout = named("shout", depends_on="keep", when="params.loud")
    found = needs_of(route=branch(sum="params.x", otherwise="keep"), sum=..., keep=..., shout=shout, end=...)
    assert found["end"] == ["route", "sum", "shout"]


def test_a_join_that_names_its_needs_ends_the_branch() -> None:
    join = named("join", depends_on=["b", "c"])
    found = needs_of(route=branch(b="params.x", otherwise="c"), b=..., c=..., join=join, after=...)
    assert (found["join"], found["after"]) == (["b", "c"], ["join"])


def test_a_branch_of_one_way_joins_whether_it_was_taken_or_not() -> None:
    extra = named("extra", depends_on="b")
    found = needs_of(route=branch(b="params.x"), b=..., extra=extra, end=...)
    assert found["end"] == ["route", "extra"]


def test_branches_stand_inside_ways() -> None:
    found = needs_of(
        outer=branch(a="params.x", otherwise="d"),
        a=...,
        inner=branch(b="params.y", otherwise="c"),
        b=...,
        c=...,
        d=...,
        end=...,
    )
    assert (found["inner"], found["end"]) == (["a"], ["outer", "inner", "b", "c", "d"])


def test_targets_may_stand_before_their_branch() -> None:
    found = needs_of(first=..., b=..., route=branch(b="params.x", otherwise="c"), c=..., end=...)
    assert (found["b"], found["route"], found["end"]) == ([], ["first"], ["route", "b", "c"])


def test_what_undoes_is_outside_of_the_order() -> None:
    found = needs_of(a=named("a", compensate="undo"), undo=..., b=...)
    assert found == {"a": [], "undo": [], "b": ["a"]}
    assert definition_of(workflow(type("S", (), {"undo": named("undo"), "a": named("a", compensate="undo")})))


def test_steps_of_a_loop_are_outside_of_the_order_too() -> None:
    inner = branch(c="params.x")
    found = needs_of(
        a=..., b=..., choose=inner, c=..., again=loop(["b", inner, "c"], until="index > 2"), d=...
    )
    assert found == {"a": [], "again": ["a"], "d": ["again"]}


def test_a_loop_gives_its_first_step_what_the_last_iteration_gave() -> None:
    parts = {
        "a": named("a"),
        "b": named("b"),
        "again": loop(["a", "b"], until="steps.b.output", input={"n": 1}),
    }
    cls: Any = workflow(type("Sample", (), {"__module__": __name__, **parts}))
    (again,) = compile_workflow(cls)["steps"]
    assert again["input"] == {"n": 1}
    assert [one["input"] for one in again["steps"]] == [{"input": "${item}"}, {"input": "${steps.a.output}"}]


def test_a_path_may_go_over_an_id_with_dashes() -> None:
    assert needs_of(a=named("a", name="a-b"), b=wait("1s", when="steps.a-b.output"))["b"] == ["a-b"]
    assert needs_of(a=named("a", name="a-b"), b=wait("1s", when='steps["a-b"].output > 1'))["b"] == ["a-b"]


def test_patterns_have_it_too() -> None:
    assert patterns.mapreduce is mapreduce


def test_a_branch_hands_its_input_on() -> None:
    def each(self: Any, ctx: Any, item: Any) -> Any: ...

    parts = {
        "numbers": named("numbers"),
        "many": branch(each="size(steps.numbers.output) > 3"),
        "each": step(parallel=True)(each),
    }
    cls: Any = workflow(type("Sample", (), {"__module__": __name__, **parts}))
    compiled = compile_workflow(cls)["steps"]
    assert (compiled[2]["over"], "needs" in compiled[2]) == ("${steps.numbers.output}", False)


def test_images_do_all_of_a_mapreduce() -> None:
    parts = {"m": mapreduce(over=[1, 2], mapper="processor:1", reducer="aggregator:1")}
    cls: Any = workflow(type("Sample", (), {"__module__": __name__, **parts}))
    assert compile_workflow(cls)["steps"] == [
        {
            "id": "m",
            "type": "mapreduce",
            "over": [1, 2],
            "mapper": {"image": "processor:1"},
            "reducer": {"image": "aggregator:1"},
        }
    ]


def test_an_image_gets_the_input_as_it_is() -> None:
    parts = {"a": named("a", image="worker:1", input={"path": "${params.x}"})}
    cls: Any = workflow(type("Sample", (), {"__module__": __name__, **parts}))
    assert compile_workflow(cls)["steps"][0]["input"] == {"path": "${params.x}"}


def test_a_command_does_the_work_of_a_method() -> None:
    parts = {
        "a": named("a", command=("sort", "-u"), input=["b", "a"]),
        "b": named(
            "b", command="\n  sort |\n    uniq -c\n", image="debian:12", parallel=True, input="${item}"
        ),
    }
    cls: Any = workflow(type("Sample", (), {"__module__": __name__, **parts}))
    document = compile_workflow(cls)
    assert [one["run"] for one in document["steps"]] == [
        {"command": ["sort", "-u"]},
        {"command": "sort |\n  uniq -c", "image": "debian:12"},
    ]
    assert [one["input"] for one in document["steps"]] == [["b", "a"], "${item}"]
    assert check_document(document)[1] == []


def test_the_name_of_a_decorated_method_names_both_steps() -> None:
    def words(self: Any, ctx: Any) -> Any: ...

    made: Any = mapreduce(mapper="m:1", name="word-totals")(words)
    cls: Any = workflow(type("Sample", (), {"words": made, "end": named("end", depends_on=made)}))
    definition = definition_of(cls)
    assert definition.ids == {"words_items": "word-totals_items", "words": "word-totals", "end": "end"}
    assert definition.needs["end"] == ["word-totals"]


def test_a_decorated_method_that_always_runs_goes_on_alone_when_it_is_skipped() -> None:
    def words(self: Any, ctx: Any) -> Any: ...

    options: dict[str, Any] = {"mapper": "m:1", "when": "params.x", "always_run": True}
    cls: Any = workflow(type("S", (), {"__module__": __name__, "words": mapreduce(**options)(words)}))
    items, both = compile_workflow(cls)["steps"]
    assert items["when"] == both["when"] == "${params.x}"


@pytest.mark.parametrize("given", ["params.n > 3", "${params.n > 3}", " ${params.n > 3} "])
def test_conditions_are_written_with_or_without_their_braces(given: str) -> None:
    assert case(given, "a").when == "${params.n > 3}"


def test_subclasses_inherit_steps_without_a_body() -> None:
    class Base:
        first = wait("1s")
        second = wait("2s", depends_on=first)

    @workflow
    class Child(Base):
        first = wait("3s")

    definition = definition_of(Child)
    assert dict(definition.needs) == {"first": [], "second": ["first"]}
    assert definition.steps["first"] is Child.first
