"""`@workflow(requirements=…)`: in every handler of the document; what could be anything else is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from agentainer_flow import Context, DefinitionError, WorkflowClient, mapreduce, step, workflow
from agentainer_flow.sdk.bundling import Bundle
from agentainer_flow.sdk.definition import compile_workflow
from agentainer_flow.sdk.exporting import python_of
from agentainer_flow.sdk.requirements import LONGEST, MOST
from tests.unit.sdk.platform_twin import TOKEN, URL, PlatformTwin
from tests.unit.site.test_requirements import REFUSED
from workflows.domain.validation import check_document

WANTED = ["Requests >= 2, < 3", "idna", "uvicorn[standard]~=0.30; python_version < '3.13'"]
BUNDLE = Bundle("sample", b"", "0" * 64)


def double(item: int) -> int:
    return 2 * item


@workflow(requirements=WANTED)
class Sample:
    @step
    def numbers(self, ctx: Context) -> list[int]:
        return [1]

    @mapreduce(mapper=double)
    def doubled(self, ctx: Context) -> dict[str, Any]:
        return {"items": [1]}

    @step(image="tool:1", depends_on=())
    def tool(self, ctx: Context) -> None: ...


def test_every_body_has_them() -> None:
    document = compile_workflow(Sample, BUNDLE)
    assert check_document(document)[1] == []
    runs = {one["id"]: one.get("run") or one["mapper"] for one in document["steps"]}
    assert [runs[name]["requirements"] for name in ("numbers", "doubled_items", "doubled")] == [WANTED] * 3
    assert runs["tool"] == {"image": "tool:1"}


def made(requirements: Any) -> Any:
    """A workflow of one step that has them."""
    return workflow(requirements=requirements)(type("Made", (), {"numbers": vars(Sample)["numbers"]}))


def test_local_runs_use_what_is_installed() -> None:
    assert made(["no-such-package"]).run_local().result() == [1]


@pytest.mark.parametrize("one", [*REFUSED, 7, None])
def test_what_is_no_requirement_is_refused_where_it_is_written(one: Any) -> None:
    with pytest.raises(DefinitionError, match="is no requirement"):
        made(["requests", one])


@pytest.mark.parametrize("given", ["requests", 7, [f"a{number}" for number in range(MOST + 1)]])
def test_it_is_a_list_of_bounded_length(given: Any) -> None:
    with pytest.raises(DefinitionError, match="requirements"):
        made(given)


def test_a_long_text_costs_no_time() -> None:
    with pytest.raises(DefinitionError):
        made(["a" + "==1, " * (LONGEST // 5)])


def test_modules_may_import_what_they_require(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "elsewhere.py").write_text("")
    (tmp_path / "requiring.py").write_text(
        dedent("""
            import elsewhere
            from agentainer_flow import Context, step, workflow

            @workflow(requirements=["else-where"])
            class Requiring:
                @step
                def work(self, ctx: Context):
                    return 1
        """)
    )
    twin = PlatformTwin()
    module = __import__("requiring")
    with WorkflowClient(URL, TOKEN, transport=twin.transport) as client:
        assert client.deploy(module.Requiring)["version"] == 1
    del sys.modules["requiring"], sys.modules["elsewhere"]


def test_they_come_back_as_code() -> None:
    """Of code in documents, too."""
    run = {"code": "def main(): ...", "requirements": ["idna==3.10"]}
    document = {"name": "w", "steps": [{"id": "a", "type": "task", "run": run, "input": {}}]}
    text = python_of({**document, "output": None})
    module: dict[str, Any] = {}
    exec(compile(text, "made.py", "exec"), module)
    assert compile_workflow(module["W"], BUNDLE)["steps"][0]["run"] == run


def test_the_decorator_needs_no_package() -> None:
    """Agents import it, and have the standard library alone."""
    program = "import sys; import agentainer_flow.sdk.requirements; sys.exit('packaging' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
