"""Sources in local runs: the same items, batches and errors as on the platform."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from agentainer_flow import Context, DefinitionError, RunFailed, compile_workflow, mapreduce, workflow
from agentainer_flow.cli.loading import workflow_class_of
from agentainer_flow.errors import BundleError
from agentainer_flow.patterns import batch_process
from agentainer_flow.sdk.bundling import make_bundle
from agentainer_flow.testing import mock_agent, run_workflow_locally
from workflows.domain.validation import check_document

WHERE = {"type": "object", "properties": {"where": {}}, "required": ["where"]}


@workflow(params=WHERE)
class Returned:
    @mapreduce(
        mapper="processor:latest",
        reducer="aggregator:latest",
        pool_size=10,
        error_strategy="continue_on_partial",
    )
    def process(self, ctx: Context, where: str) -> dict[str, Any]:
        return {"source": where, "batch_size": 1000}


def test_a_method_returns_a_source_and_a_batch_size(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("id\n" + "".join(f"{number}\n" for number in range(2500)))
    sizes: list[int] = []

    def process(given: dict[str, Any]) -> list[int]:
        sizes.append(len(given["items"]))
        return [int(item["id"]) for item in given["items"]]

    with (
        mock_agent("processor").does(process),
        mock_agent("aggregator").does(lambda given: sum(given["results"])),
    ):
        run = run_workflow_locally(Returned, {"where": str(file)})
    assert run.result() == sum(range(2500))
    assert sizes == [1000, 1000, 500]
    assert run.step("process_items")["output"] == {"items": {"source": str(file), "batch_size": 1000}}


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    run = run_workflow_locally(Returned, {"where": str(tmp_path / "none.csv")})
    with pytest.raises(RunFailed, match=r"none\.csv: there is no such file"):
        run.result()


def test_bad_sources_are_told_by_the_method_that_returns_them() -> None:
    run = run_workflow_locally(Returned, {"where": 3})
    with pytest.raises(RunFailed, match=r"source is a path, a URL such as .*, or a list; not 3"):
        run.result()


def test_one_item_at_a_time_without_a_batch_size(tmp_path: Path) -> None:
    @workflow
    class One:
        each = mapreduce(source=[1, 2], mapper="processor:latest")
        again = batch_process("processor:latest", source={"source": [3], "batch_size": 1}, depends_on=[each])

    with mock_agent("processor").does(lambda given: given["item"]):
        run = run_workflow_locally(One)
    assert run.state == "completed"
    assert run.step("each")["output"] == [1, 2]
    assert run.step("again")["output"] == [3]


PROGRAM = """
    from agentainer_flow import mapreduce, workflow

    def double(item):
        return 2 * int(item)

    @workflow
    class Lines:
        lines = mapreduce(source="data/numbers.txt", mapper=double, batch_size=2)
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "numbers.txt").write_text("1\n2\n3\n")
    file = tmp_path / "lines_program.py"
    file.write_text(dedent(PROGRAM))
    yield file
    sys.modules.pop("lines_program", None)


def test_relative_paths_begin_beside_the_module_and_go_along_with_it(program: Path) -> None:
    lines = workflow_class_of(program)
    assert run_workflow_locally(lines).result() == [2, 4, 6]
    bundle = make_bundle(lines)
    assert b"data/numbers.txt" in bundle.content
    document = compile_workflow(lines)
    check_document(document)
    assert document["steps"][0]["over"] == {"source": "data/numbers.txt", "bundle": bundle.sha256}
    (program.parent / "data" / "numbers.txt").unlink()
    with pytest.raises(
        BundleError, match=r"There is no data/numbers\.txt in .*, which a source of Lines names"
    ):
        make_bundle(lines)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"over": [1], "source": [1]}, "give over or source, not both"),
        ({"source": ""}, "is a path, a URL"),
        ({"source": {"source": "a", "batchsize": 2}}, "did you mean batch_size?"),
        ({"source": {"source": "a", "batch_size": 0}}, "batch_size must be a whole number"),
        ({"source": {"source": "a", "format": "xml"}}, "format must be one of"),
        ({"source": {"source": "a", "options": 3}}, "options is a dict"),
    ],
)
def test_bad_arguments(given: dict[str, Any], says: str) -> None:
    with pytest.raises(DefinitionError, match=says.replace("?", r"\?")):
        mapreduce(mapper="processor:latest", **given)


# --- classes ----------------------------------------------------------------------------------------------


@mapreduce(mapper="processor:latest", reducer="aggregator:latest", pool_size=10)
class ByImages:
    """Adds up."""

    def process(self, ctx: Context, upto: int = 3) -> dict[str, Any]:
        return {"items": list(range(upto))}


@workflow(name="by-methods", max_parallel=2)
@mapreduce(pool_size=5, batch_size=2)
class ByMethods:
    def items(self, ctx: Context) -> dict[str, Any]:
        return {"items": ["a b", "c"]}

    def mapper(self, ctx: Context, item: str) -> int:
        return len(self.words(item))

    def reducer(self, ctx: Context, results: list[int]) -> int:
        return sum(results)

    def words(self, text: str) -> list[str]:
        return text.split()


def test_a_class_of_images_is_a_workflow() -> None:
    with (
        mock_agent("processor").does(lambda given: given["item"]),
        mock_agent("aggregator").does(lambda given: sum(given["results"])),
    ):
        assert run_workflow_locally(ByImages, {"upto": 5}).result() == 10
        assert ByImages.run_local().result() == 3  # type: ignore[attr-defined]
    document = compile_workflow(ByImages)
    check_document(document)
    assert (document["name"], document["description"]) == ("by-images", "Adds up.")
    assert document["params"]["properties"] == {"upto": {"default": 3}}


def test_a_class_of_methods_under_workflow() -> None:
    assert run_workflow_locally(ByMethods).result() == 3
    document = compile_workflow(ByMethods)
    check_document(document)
    assert (document["name"], document["max_parallel"]) == ("by-methods", 2)
    assert document["steps"][1]["pool"] == {"mode": "pooled", "size": 5}


def test_classes_that_lack_something() -> None:
    with pytest.raises(DefinitionError, match="@mapreduce on Bare: a mapper is missing"):

        @mapreduce(pool_size=5)
        class Bare:
            def items(self, ctx: Context) -> dict[str, Any]:
                return {"items": []}

    with pytest.raises(DefinitionError, match=r"call it items \(it has one, two\)"):

        @mapreduce(mapper="processor:latest")
        class Two:
            def one(self, ctx: Context) -> Any: ...

            def two(self, ctx: Context) -> Any: ...
