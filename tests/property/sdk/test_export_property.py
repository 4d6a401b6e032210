"""Any workflow as SDK code: compiled again, it is an equal document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from agentainer_flow import compile_workflow
from agentainer_flow.cli.loading import workflow_class_of
from agentainer_flow.sdk.bundling import Bundle
from agentainer_flow.sdk.definition import MARK
from agentainer_flow.sdk.exporting import python_of
from tests.factories.documents import documents
from tests.factories.graphs import graphs
from workflows.domain.document import Document
from workflows.domain.validation import check_document

EXAMPLES = sorted(Path("examples").glob("*.yaml"))
IN_PYTHON = sorted(Path("examples").glob("sdk_*.py"))
BUNDLE = Bundle("module", b"", "0" * 64)
TEXTS = ["", "x = 1", 'a"""b', "tail\\", "\\n", "é\n\tü", 'end"', "\x0c", "'''", "a\r\nb"]


def again(document: dict[str, Any]) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "exported"}
    text = python_of(document)
    exec(compile(text, "exported.py", "exec"), namespace)
    classes = [one for one in namespace.values() if isinstance(one, type) and MARK in vars(one)]
    return compile_workflow(classes[0], BUNDLE)


def once(value: Any) -> Any:
    """Without the second time that a list names a step: it says no more than the first."""
    if isinstance(value, dict):
        named = {"needs", "then", "else"}
        unique = {key: list(dict.fromkeys(value[key])) for key in named if isinstance(value.get(key), list)}
        return {key: once(part) for key, part in {**value, **unique}.items()}
    return [once(part) for part in value] if isinstance(value, list) else value


def check(document: dict[str, Any]) -> None:
    found = again(document)
    assert Document.model_validate(once(found)) == Document.model_validate(once(document))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example(path: Path) -> None:
    check(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("path", IN_PYTHON, ids=lambda path: path.stem)
def test_what_was_python_before(path: Path) -> None:
    check(compile_workflow(workflow_class_of(path), BUNDLE))


@given(graphs())
def test_any_graph(document: Document) -> None:
    assume(document.steps)
    check(json.loads(document.model_dump_json(by_alias=True, exclude_none=True)))


@settings(max_examples=8, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(documents())
def test_whatever_the_platform_accepts(document: dict[str, Any]) -> None:
    _, faults = check_document(document)
    for (
        fault
    ) in faults:  # what a document can do without is left out where it is wrong: few would be accepted
        document.pop(fault.path.partition(".")[0].partition("[")[0], None)
    found, faults = check_document(document)
    assume(not faults and found is not None and found.steps)
    # The SDK takes what says that it is the schema of an object.
    assume(found is None or found.params is None or found.params.get("type") == "object")
    event("accepted")
    check(document)


IDS = st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_-]{0,8}\Z")


@given(
    st.lists(
        st.one_of(IDS, st.sampled_from(["class", "run-local", "run_local", "a-b", "a_b", "match"])),
        min_size=1,
        max_size=5,
        unique=True,
    ),
    st.sampled_from(TEXTS),
    st.data(),
)
def test_any_name_and_any_code(ids: list[str], code: str, data: st.DataObject) -> None:
    steps = [
        {
            "id": one,
            "type": "task",
            "name": data.draw(st.sampled_from(["Title", "title", one, "a b"])),
            "needs": ids[:place][-1:],
            "run": {"code": f"{code}\nmain = 1"},
        }
        for place, one in enumerate(ids)
    ]
    check({"name": "w", "steps": steps, "output": data.draw(st.sampled_from([None, 1, {"a": [code]}]))})


def test_names_of_what_the_module_uses_itself() -> None:
    """In the body of a class a name hides the module's from the line on which it is set."""
    code = {"code": "main = 1"}
    check(
        {
            "name": "w",
            "steps": [
                {"id": "wait", "type": "wait", "duration": "1s"},
                {"id": "document_step", "type": "task", "run": code},
                {"id": "RUN_1", "type": "task", "run": code},
                {"id": "branch", "type": "branch", "cases": [{"when": "${true}", "then": ["case"]}]},
                {"id": "case", "type": "wait", "duration": "1s"},
                {"id": "again", "type": "branch", "cases": [{"when": "${true}", "then": ["last"]}]},
                {"id": "last", "type": "task", "run": code},
            ],
        }
    )
