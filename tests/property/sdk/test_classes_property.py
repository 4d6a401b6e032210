"""Whatever steps a class puts together: either the SDK refuses it, or the platform finds no fault in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from agentainer_flow import (
    DefinitionError,
    branch,
    case,
    compile_workflow,
    loop,
    mapreduce,
    step,
    subworkflow,
    wait,
    workflow,
)
from agentainer_flow.sdk.definition import definition_of
from workflows.domain.graph import descendants, needs_of
from workflows.domain.steps import BranchStep
from workflows.domain.validation import check_document

KEYS = [f"s{number}" for number in range(9)]
Draw = Callable[[st.SearchStrategy[Any]], Any]

conditions = st.sampled_from([*["params.on"] * 9, "steps.s0.output", "steps.s3.state == 'completed'", True])


@st.composite
def parts(draw: Draw, key: str, keys: list[str]) -> Any:
    """References go to earlier and later steps, and now and then nowhere."""
    a_key = st.sampled_from([*(one for one in keys if one > key), *keys, KEYS[-1]])
    earlier = st.lists(st.sampled_from([one for one in keys if one < key] or [key]), max_size=2, unique=True)
    few_keys = st.lists(a_key, max_size=2, unique=True)
    common: dict[str, Any] = {}
    if draw(st.integers(0, 3)) == 0:
        common["depends_on"] = draw(earlier)
    if draw(st.integers(0, 5)) == 0:
        common["when"] = draw(conditions)
    if draw(st.integers(0, 7)) == 0:
        common["always_run"] = True
    kind = draw(
        st.sampled_from(
            [*["task"] * 5, "map", "reduce", "stream", "branch", "loop", "wait", "child", "mr", "items"]
        )
    )
    if kind == "branch":
        cases = [case(draw(conditions), *draw(few_keys)) for _ in range(draw(st.integers(1, 2)))]
        return branch(cases, otherwise=draw(few_keys), **common)
    if kind == "loop":
        return loop(
            draw(st.lists(a_key, min_size=1, max_size=3, unique=True)), until=draw(conditions), **common
        )
    if kind == "wait":
        return wait("1s", **common)
    if draw(st.integers(0, 9)) == 0:
        common["compensate"] = draw(a_key)
    if kind == "child":
        return subworkflow("other", **common)
    if kind == "mr":
        return mapreduce(mapper="m:1", over=draw(st.one_of(a_key, st.just([1]))), **common)
    return _method(draw, key, kind, common)


def _method(draw: Draw, key: str, kind: str, options: dict[str, Any]) -> Any:
    namespace: dict[str, Any] = {}
    wants = draw(st.sampled_from(["", "", "", ", s1", ", item=None", ", s2=None"]))
    exec(f"def {key}(self, ctx{wants}): pass", namespace)
    if kind == "items":
        return mapreduce(mapper="m:1", **options)(namespace[key])
    more: dict[str, dict[str, Any]] = {
        "map": {"parallel": True},
        "reduce": {"reduce": True},
        "stream": {"reduce": True, "streaming": True},
    }
    return step(**more.get(kind, {}), **options)(namespace[key])


@st.composite
def bodies(draw: Draw) -> dict[str, Any]:
    keys = KEYS[: draw(st.integers(1, len(KEYS)))]
    return {key: draw(parts(key, keys)) for key in keys}


PARAMS = {"type": "object", "properties": {"on": {"type": "boolean", "default": True}}}


@given(bodies())
def test_what_the_sdk_accepts_has_no_fault(body: dict[str, Any]) -> None:
    try:
        cls: Any = workflow(params=PARAMS)(type("Sample", (), {"__module__": __name__, **body}))
    except DefinitionError as refusal:
        event(f"refused: {str(refusal)[-20:]}")
        return
    document, faults = check_document(compile_workflow(cls))
    assert faults == []
    assert document is not None
    event(f"accepted, with {len(list(document.all_steps()))} steps")


@given(st.data())
def test_every_way_of_a_branch_ends_in_the_step_after_them(data: st.DataObject) -> None:
    """One branch with ways of several steps: the step after its last target comes after all of them."""
    ways = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    body: dict[str, Any] = {"start": _plain("start")}
    targets = [f"way{number}" for number in range(len(ways))]
    body["route"] = branch([case("params.on", target) for target in targets])
    for number, length in enumerate(ways):
        body[targets[number]] = _plain(targets[number])
        # After the last target a step joins, so the last way has no more of them.
        for place in range(length - 1 if number + 1 < len(ways) else 0):
            key = f"way{number}_{place}"
            body[key] = _plain(key)
    body["end"], body["after"] = _plain("end"), _plain("after")
    cls: Any = workflow(params=PARAMS)(type("Sample", (), {"__module__": __name__, **body}))
    document, _ = check_document(compile_workflow(cls))
    assert document is not None
    needs = needs_of(document.steps)
    assert set(body) - {"start"} == descendants(needs, {"start"})
    for key in set(body) - {"start", "end", "after", "route"}:
        assert "end" in descendants(needs, {key})
    assert needs["after"] == ("end",)
    assert "route" in definition_of(cls).needs["end"], "it runs when no way was taken, too"
    assert isinstance(document.step("route"), BranchStep)


def _plain(key: str) -> Any:
    def method(self: Any, ctx: Any) -> None: ...

    method.__name__ = key
    return step(method)
