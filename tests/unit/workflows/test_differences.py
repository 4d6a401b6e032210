"""What two documents differ in."""

from __future__ import annotations

from typing import Any

import pytest

from workflows.domain.differences import changes_between, same, step_changes


def told(before: Any, after: Any) -> list[tuple[str, str, Any, Any]]:
    return [(c.path, c.kind, c.before, c.after) for c in changes_between(before, after)]


def document(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "w", "steps": list(steps), **more}


def step(key: str, **more: Any) -> dict[str, Any]:
    return {"id": key, "type": "task", "run": {"code": "def main(): ..."}, **more}


def test_equal_documents_differ_in_nothing() -> None:
    assert told(document(step("a")), document(step("a"))) == []


def test_fields_added_removed_and_changed() -> None:
    before = document(description="old", timeout="1m")
    after = document(description="new", output="${params.x}")
    assert told(before, after) == [
        ("description", "changed", "old", "new"),
        ("timeout", "removed", "1m", None),
        ("output", "added", None, "${params.x}"),
    ]


def test_steps_are_matched_by_id_wherever_they_stand() -> None:
    before = document(step("a"), step("b"), step("gone"))
    after = document(step("new"), step("a"), step("b", pool={"size": 5}))
    assert told(before, after) == [
        ("steps[b].pool", "added", None, {"size": 5}),
        ("steps[gone]", "removed", step("gone"), None),
        ("steps[new]", "added", None, step("new")),
    ]
    assert step_changes(before, after).added == ("new",)
    assert step_changes(before, after).removed == ("gone",)
    assert step_changes(before, after).changed == ("b",)


def test_another_order_of_steps_is_one_change() -> None:
    before, after = document(step("a"), step("b")), document(step("b"), step("a"))
    assert told(before, after) == [("steps", "changed", ["a", "b"], ["b", "a"])]
    assert step_changes(before, after).changed == ()


def test_steps_inside_loops() -> None:
    def loop(*inner: dict[str, Any]) -> dict[str, Any]:
        return {"id": "refine", "type": "loop", "until": True, "steps": list(inner)}

    before = document(loop(step("judge"), step("other")))
    after = document(loop(step("other"), step("judge", timeout=3), step("more")))
    assert [(path, kind) for path, kind, _, _ in told(before, after)] == [
        ("steps[refine].steps[judge].timeout", "added"),
        ("steps[refine].steps[more]", "added"),
        ("steps[refine].steps", "changed"),
    ]
    changed = step_changes(before, after)
    assert (changed.added, changed.changed) == (("refine.more",), ("refine", "refine.judge"))


def test_lists_of_names_are_told_whole_and_others_by_place() -> None:
    before = document(step("a", needs=["x", "y"], input=[{"n": 1}, {"n": 2}]))
    after = document(step("a", needs=["y"], input=[{"n": 1}, {"n": 3}, {"n": 4}]))
    assert told(before, after) == [
        ("steps[a].needs", "changed", ["x", "y"], ["y"]),
        ("steps[a].input[1].n", "changed", 2, 3),
        ("steps[a].input[2]", "added", None, {"n": 4}),
    ]


def test_steps_in_an_input_are_any_list() -> None:
    before = document(step("a", input={"steps": [{"id": "p"}, {"id": "q"}]}))
    after = document(step("a", input={"steps": [{"id": "q"}, {"id": "p"}]}))
    assert [path for path, *_ in told(before, after)] == [
        "steps[a].input.steps[0].id",
        "steps[a].input.steps[1].id",
    ]


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, True, False),
        (0, False, False),
        (1, 1.0, True),
        ([1], [True], False),
        ({"a": [0]}, {"a": [False]}, False),
        (None, False, False),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ("1", 1, False),
    ],
)
def test_values_that_python_would_confuse(one: Any, other: Any, equal: bool) -> None:
    assert same(one, other) is equal
    assert (changes_between(one, other) == []) is equal
