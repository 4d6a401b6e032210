from typing import Any

import pytest

from workflows.domain.steps import MapStep, TaskStep
from workflows.domain.validation import InvalidDocument, check_document, parse_document

CODE = {"code": "def main():\n    return 1"}


def document(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "w", "steps": list(steps), **more}


def task(key: str, **more: Any) -> dict[str, Any]:
    return {"id": key, "type": "task", "run": CODE, **more}


def faults(data: Any) -> dict[str, str]:
    return {fault.path: fault.message for fault in check_document(data)[1]}


def test_the_example_of_the_contract_in_its_three_step_types() -> None:
    parsed = parse_document(
        {
            "apiVersion": "agentainer.flow/v1",
            "name": "code-census",
            "description": "Counts what a source tree is made of",
            "params": {"type": "object", "properties": {"root": {"type": "string"}}, "required": ["root"]},
            "defaults": {
                "pool": "python",
                "timeout": "60s",
                "retry": {"max_attempts": 3, "backoff": "exponential", "delay": "1s", "max_delay": "30s"},
            },
            "max_parallel": 20,
            "steps": [
                {**task("list"), "input": {"root": "${params.root}"}},
                {
                    "id": "count",
                    "type": "map",
                    "needs": ["list"],
                    "over": "${steps.list.output}",
                    "as": "path",
                    "run": CODE,
                    "input": {"path": "${item}"},
                    "pool": {
                        "mode": "pooled",
                        "size": 5,
                        "warm_up": True,
                        "max_uses": 100,
                        "idle_timeout": 300,
                    },
                    "max_parallel": 5,
                    "batch_size": 20,
                    "error_strategy": "continue_on_partial",
                    "min_success_rate": 0.95,
                },
                {
                    "id": "total",
                    "type": "reduce",
                    "needs": ["count"],
                    "run": {"image": "aggregator:latest"},
                    "input": {"results": "${steps.count.output}"},
                },
            ],
            "output": "${steps.total.output}",
            "layout": {"list": {"x": 0, "y": 0}},
        }
    )
    first, count = parsed.step("list"), parsed.step("count")
    assert isinstance(first, TaskStep)
    assert isinstance(count, MapStep)
    assert parsed.timeout_of(first) == 60
    assert parsed.retry_of(count).max_attempts == 3
    assert count.as_ == "path"


def test_every_fault_at_once_with_its_path() -> None:
    found = faults(
        document(
            task("a", needs=["nope"], timeout="soon"),
            {"id": "m", "type": "map", "needs": ["a"], "run": CODE, "over": "${steps.later.output}"},
            {"id": "b", "type": "task", "run": {"code": "1", "image": "x"}, "colour": "red"},
            {"id": "z", "type": "robot"},
            output="${steps.gone.output}",
        )
    )
    assert set(found) == {
        "steps[0].timeout",
        "steps[0].needs[0]",
        "steps[1].over",
        "steps[2].run",
        "steps[2].colour",
        "steps[3]",
        "output",
    }
    assert "90s" in found["steps[0].timeout"]
    assert "robot" in found["steps[3]"]


def test_a_loop_is_named() -> None:
    found = faults(document(task("a", needs=["c"]), task("b", needs=["a"]), task("c", needs=["b"])))
    assert len(found) == 1
    (message,) = found.values()
    assert "a → c → b → a" in message or "b → a → c → b" in message or "c → b → a → c" in message


@pytest.mark.parametrize(
    ("data", "path", "part"),
    [
        (document(task("a"), task("a")), "steps[1].id", "rename"),
        (document(task("a", needs=["a"])), "steps[0].needs[0]", "itself"),
        (document(task("fetch"), task("b", needs=["fecth"])), "steps[1].needs[0]", "did you mean fetch?"),
        (document(task("a"), task("b", input="${steps.a.output}")), "steps[1].input", "add a to needs"),
        (document(task("a", input="${item}")), "steps[0].input", "item is not known here"),
        (document(task("a", input="${params.}")), "steps[0].input", "cannot be read"),
        (document(task("a", input="${params.x")), "steps[0].input", "not closed"),
        (document(task("a"), output="${steps.a.result}"), "output", "A step has no result"),
        (document({**task("m"), "type": "map", "over": "files"}), "steps[0].over", "must give a list"),
        (
            document({**task("m"), "type": "map", "over": [1], "min_success_rate": 0.5}),
            "steps[0].min_success_rate",
            "only counts with",
        ),
        (document(task("a", pool={"min_size": 5, "max_size": 2})), "steps[0].pool.min_size", "more than"),
        (document(task("a", pool={"size": 5, "max_size": 2})), "steps[0].pool.size", "not both"),
        (
            document(task("a", pool={"mode": "standard", "max_uses": 9})),
            "steps[0].pool.max_uses",
            "used|once",
        ),
        (document(task("a", pool={"size": "many"})), "steps[0].pool.size", "whole number"),
        (document(task("a", timeout=0)), "steps[0].timeout", "0 lets nothing run"),
        (document(task("a", timeout=10**400)), "steps[0].timeout", "less than or equal"),
        (document(task("a"), layout={"a": "left"}), "layout.a", "should be an object"),
        (document({"id": "b", "type": "branch", "cases": []}), "steps[0].cases", "too short"),
        (document(task("a", retry={"delay": 60, "max_delay": 1})), "steps[0].retry.delay", "longer"),
        (document({"id": "r", "type": "reduce", "run": CODE}), "steps[0].needs", "results of another"),
        (document(params={"type": "objekt"}), "params.type", "not JSON Schema"),
        (document(params={"type": "array"}), "params.type", "type: object"),
        (document(params={"$ref": "http://example.org/x"}), "params", "only point inside"),
        ({"name": "Not A Name", "steps": []}, "name", "must match"),
        ({"steps": []}, "name", "required"),
        ([], "$", "JSON object"),
    ],
)
def test_one_fault(data: Any, path: str, part: str) -> None:
    import re

    found = faults(data)
    assert list(found) == [path]
    assert re.search(part, found[path])


def test_a_document_nested_without_end_is_refused_early() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert "nested" in faults(document(output=deep))["$"]


def test_an_unknown_field_is_never_accepted_and_ignored() -> None:
    assert list(faults(document(task("a", whem="${true}")))) == ["steps[0].whem"]


def test_parse_raises_with_all_faults() -> None:
    with pytest.raises(InvalidDocument) as caught:
        parse_document(document(task("a"), task("a", needs=["b"])))
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize(
    "run",
    [
        {"command": ["sort", "-u"]},
        {"command": "sort | uniq -c"},
        {"command": ["sort"], "image": "debian:12"},
    ],
)
def test_commands_are_a_list_or_a_line_with_or_without_an_image(run: dict[str, Any]) -> None:
    assert faults(document(task("a", run=run))) == {}


def test_a_line_is_run_by_a_shell_and_a_list_is_not() -> None:
    parsed = parse_document(
        document(task("a", run={"command": "ls | wc"}), task("b", run={"command": ["ls", "|", "wc"]}))
    )
    words = [step.run.words for step in parsed.steps if isinstance(step, TaskStep)]
    assert words == [("/bin/sh", "-c", "ls | wc"), ("ls", "|", "wc")]


@pytest.mark.parametrize(
    ("run", "path", "sentence"),
    [
        ({"command": []}, "", "Command names no program"),
        ({"command": ["", "x"]}, "", "Command names no program"),
        ({"command": ""}, ".command", "at least 1 character"),
        ({"command": ["ls", 3]}, ".command[1]", "This should be text."),
        ({"command": ["ls", "a\0"]}, "", "Command has a NUL character"),
        ({"command": {"run": "ls"}}, ".command", "This should be a list."),
        ({"command": "ls", "code": "main = 1"}, "", "exactly one of code, handler, image and command"),
        ({"command": "ls", "path": "/run"}, "", "Path goes with an image"),
        ({"command": "ls", "path": "/run", "image": "a"}, "", "Path goes with an image"),
        ({"command": "ls", "image": "No Image"}, ".image", "is no image"),
    ],
)
def test_what_is_no_command(run: dict[str, Any], path: str, sentence: str) -> None:
    found = faults(document(task("a", run=run)))
    assert list(found) == [f"steps[0].run{path}"]
    assert sentence in found[f"steps[0].run{path}"]


def test_a_shells_own_variables_are_no_expressions() -> None:
    assert faults(document(task("a", run={"command": "echo ${nobody.knows} $((1 + 2))"}))) == {}


def test_results_are_not_streamed_to_commands() -> None:
    steps = (
        {"id": "m", "type": "map", "over": [1], "run": CODE},
        {
            "id": "r",
            "type": "reduce",
            "needs": ["m"],
            "streaming": True,
            "run": {"command": ["cat"]},
        },
    )
    assert "images and commands get a list" in faults(document(*steps))["steps[1].streaming"]
