"""The examples are valid documents, and the census counts what a plain script counts."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from agentainer_flow import compile_workflow
from agentainer_flow.cli.loading import workflow_class_of
from workflows.domain.document import json_schema
from workflows.domain.steps import AnyStep
from workflows.domain.validation import check_document

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
DOCUMENTS = sorted(EXAMPLES.glob("*.yaml"))
IN_PYTHON = sorted(EXAMPLES.glob("sdk_*.py"))


def read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    return document


def bodies(document: dict[str, Any]) -> dict[str, Callable[..., Any]]:
    """Step id -> its `main`, each out of a namespace of its own, as in an agent."""
    found: dict[str, Callable[..., Any]] = {}
    for step in document["steps"]:
        namespace: dict[str, Any] = {}
        with warnings.catch_warnings():
            exec(compile(step["run"]["code"], f"<{step['id']}>", "exec"), namespace)
        found[step["id"]] = namespace["main"]
    return found


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.delitem(sys.modules, "code_census_plain", raising=False)
    import code_census_plain  # type: ignore[import-not-found]  # found at run time only

    return code_census_plain


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_every_example_is_a_valid_document(path: Path) -> None:
    document, faults = check_document(yaml.safe_load(path.read_text()))

    assert faults == []
    assert document is not None
    assert document.name == path.stem


@pytest.mark.parametrize("path", IN_PYTHON, ids=lambda path: path.stem)
def test_every_example_in_python_compiles_to_a_valid_document(path: Path) -> None:
    document, faults = check_document(compile_workflow(workflow_class_of(path)))

    assert faults == []
    assert document is not None
    # Beside the examples in YAML, whose names are their own.
    assert document.name not in {example.stem for example in DOCUMENTS}


def test_the_examples_in_python_show_every_type_of_step() -> None:
    documents = [check_document(compile_workflow(workflow_class_of(path)))[0] for path in IN_PYTHON]
    types = {step.type for document in documents if document for _, step in document.all_steps()}

    assert types == {one.model_fields["type"].annotation.__args__[0] for one in AnyStep.__args__}


@pytest.mark.parametrize("limit", [1, 180])
def test_the_census_equals_the_plain_script(plain: Any, limit: int) -> None:
    stdlib = Path(os.__file__).parent

    assert census(stdlib, limit) == {**plain.report(stdlib, limit), "files": limit}


def test_unreadable_modules_are_counted_alike(plain: Any, tmp_path: Path) -> None:
    sources = {
        "broken.py": b"def (:\n",
        "undecodable.py": b"name = '\xff'\n",
        "null.py": b"a = 1\x00\n",
        "good.py": b'"""Documented."""\nimport os.path, os\nfrom . import x\nasync def f():\n    pass',
        "empty.py": b"",
    }
    for name, source in sources.items():
        (tmp_path / name).write_bytes(source)
    (tmp_path / "dangling.py").symlink_to("nowhere.py")

    report = census(tmp_path, None)

    assert report == plain.report(tmp_path)
    assert (report["files"], report["unparsed"], report["lines"]) == (6, 4, 5)
    assert report["most_imported"] == [{"module": "os", "files": 1}]
    assert report["longest_function"] == "f"


def test_a_failed_item_leaves_the_report_whole() -> None:
    main = bodies(read("code-census"))

    report = main["total"]([None, main["count"]("abc.py", {})])

    assert (report["files"], report["missing"]) == (1, 1)


def test_no_files_make_an_empty_report(plain: Any, tmp_path: Path) -> None:
    assert census(tmp_path, None) == plain.report(tmp_path)


def census(root: Path, limit: int | None) -> dict[str, Any]:
    """The workflow's report, with its three bodies called one after the other."""
    main = bodies(read("code-census"))
    params = {"root": str(root), "limit": limit}
    with warnings.catch_warnings():
        results = [main["count"](path, params) for path in main["list"](**params)]
    report: dict[str, Any] = main["total"](results)
    return report


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_editors_check_examples_by_the_schema_that_they_link(path: Path) -> None:
    text = path.read_text()
    assert text.startswith(
        "# yaml-language-server: $schema=http://127.0.0.1:8000/api/v1/schemas/workflow.json\n"
    )
    validator = jsonschema.Draft202012Validator(json_schema())
    document = yaml.safe_load(text)
    assert list(validator.iter_errors(document)) == []
    document["steps"][0]["nedes"] = ["x"]
    assert list(validator.iter_errors(document)) != []
