"""A class compiles to the document that the platform takes; its bundle is the same for the same content."""

from __future__ import annotations

import importlib
import io
import os
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from agentainer_flow import compile_workflow, step, workflow
from agentainer_flow.errors import BundleError
from agentainer_flow.sdk.bundling import make_bundle
from tests.unit.sdk.sample_flow import PARAMS, Sample
from workflows.domain.validation import check_document

ROOT = Path(__file__).resolve().parents[3]


def steps(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in document["steps"]}


def test_the_whole_document() -> None:
    document = compile_workflow(Sample)
    sha = make_bundle(Sample).sha256
    retry = {"max_attempts": 2, "backoff": "exponential", "delay": 1.0, "max_delay": 30.0, "jitter": True}
    assert {key: value for key, value in document.items() if key != "steps"} == {
        "apiVersion": "agentainer.flow/v1",
        "name": "sample",
        "description": "Every kind",
        "params": PARAMS,
        "defaults": {"retry": retry},
        "max_parallel": 4,
        "output": {name: f"${{steps.{name}.output}}" for name in ("report", "publish", "look")},
    }
    compiled = steps(document)
    assert list(compiled) == ["numbers", "square", "total", "report", "publish", "look"]
    module = make_bundle(Sample).module
    assert compiled["square"] == {
        "id": "square",
        "type": "map",
        "needs": ["numbers"],
        "over": "${steps.numbers.output}",
        "input": {"item": "${item}", "params": "${params}"},
        "run": {"handler": f"{module}:Sample.squares", "bundle": sha},
        "pool": {
            "mode": "pooled",
            "size": 2,
            "warm_up": True,
            "max_uses": 100,
            "idle_timeout": "5m",
            "capacity_type": "spot",
            "zone": "north",
        },
        "max_parallel": 2,
        "error_strategy": "continue_on_partial",
        "min_success_rate": 0.5,
    }
    assert compiled["total"]["type"] == "reduce"
    assert compiled["total"]["input"] == {"results": "${steps.square.output}", "params": "${params}"}
    assert compiled["total"]["pool"] == {"mode": "pooled", "size": 1}
    assert compiled["publish"]["run"] == {"image": "published:1"}


def test_inputs_follow_the_method_s_parameters() -> None:
    compiled = steps(compile_workflow(Sample))
    params = {"params": "${params}"}
    # A run may leave `factor` out: it comes out of the params in the agent.
    assert compiled["numbers"]["input"] == {"size": "${params.size}", **params}
    assert compiled["report"]["input"] == {
        "total": "${steps.total.output}",
        "numbers": "${steps.numbers.output}",
        **params,
    }
    assert compiled["publish"]["input"] == "${steps.numbers.output}"
    both = {"numbers": "${steps.numbers.output}", "total": "${steps.total.output}"}
    assert compiled["look"]["input"] == {"input": both, **params}


def test_the_platform_finds_no_fault_in_it() -> None:
    assert check_document(compile_workflow(Sample))[1] == []


def test_the_class_gets_to_document() -> None:
    assert getattr(Sample, "to_document")() == compile_workflow(Sample)  # noqa: B009


def test_without_params_none_travel() -> None:
    @workflow
    class Plain:
        @step
        def one(self, ctx: Any) -> None: ...

    Plain.__qualname__ = "Plain"
    assert compile_workflow(Plain)["steps"][0]["input"] == {}
    assert compile_workflow(Plain)["output"] == "${steps.one.output}"


def test_five_hundred_steps_compile_quickly_enough() -> None:
    body = {}
    for number in range(500):

        def method(self: Any, ctx: Any) -> None: ...

        method.__name__ = f"s{number}"
        body[method.__name__] = step(method)
    cls: Any = workflow(type("Long", (), {"__module__": __name__, **body}))
    started = time.perf_counter()
    document = compile_workflow(cls)
    assert len(document["steps"]) == 500
    assert time.perf_counter() - started < 5  # a guard against squares, no measurement


# --- bundles ----------------------------------------------------------------------------------------------


@pytest.fixture
def module_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes files, imports one of them, and forgets it afterwards."""
    known = set(sys.modules)

    def make(files: dict[str, str], name: str) -> Any:
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text))
        monkeypatch.syspath_prepend(str(tmp_path))
        return importlib.import_module(name)

    yield make
    for name in set(sys.modules) - known:
        del sys.modules[name]


FLOW = """
    from agentainer_flow import step, workflow

    @workflow
    class Flow:
        @step
        def one(self, ctx):
            return 1
"""


def names_in(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.namelist()


def test_a_module_goes_alone(module_of: Any) -> None:
    bundle = make_bundle(module_of({"flow_alone.py": FLOW, "other.py": ""}, "flow_alone").Flow)
    assert bundle.module == "flow_alone"
    assert names_in(bundle.content) == ["flow_alone.py"]


def test_a_package_goes_whole(module_of: Any) -> None:
    files = {
        "shop/__init__.py": "",
        "shop/data/prices.csv": "1,2",
        "shop/flows/__init__.py": "",
        "shop/flows/daily.py": FLOW,
        "shop/.hidden": "x",
        "beside.py": "",
    }
    bundle = make_bundle(module_of(files, "shop.flows.daily").Flow)
    assert bundle.module == "shop.flows.daily"
    assert names_in(bundle.content) == [
        "shop/__init__.py",
        "shop/data/prices.csv",
        "shop/flows/__init__.py",
        "shop/flows/daily.py",
    ]


def test_the_same_content_gives_the_same_hash(module_of: Any, tmp_path: Path) -> None:
    flow = module_of({"flow_same.py": FLOW}, "flow_same").Flow
    before = make_bundle(flow).sha256
    os.utime(tmp_path / "flow_same.py", (1, 1))
    assert make_bundle(flow).sha256 == before
    (tmp_path / "flow_same.py").write_text("changed = True\n")
    assert make_bundle(flow).sha256 != before


def test_what_agents_cannot_import_is_refused() -> None:
    @workflow
    class Local:
        @step
        def one(self, ctx: Any) -> None: ...

    with pytest.raises(BundleError, match="inside a function"):
        make_bundle(Local)
    nowhere = type("Nowhere", (), {"__module__": "no_such_module"})
    with pytest.raises(BundleError, match="does not come from a file"):
        make_bundle(nowhere)


def test_a_script_is_bundled_by_its_file_s_name(tmp_path: Path) -> None:
    script = tmp_path / "my_script.py"
    script.write_text(textwrap.dedent(FLOW) + "print(Flow.to_document()['steps'][0]['run']['handler'])\n")
    told = subprocess.run(
        [sys.executable, str(script)],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "my_script:Flow.one\n"


def test_defining_a_workflow_needs_the_standard_library_alone() -> None:
    program = """
import sys
from agentainer_flow import *
import agentainer_flow.runtime
print('httpx' in sys.modules)
"""
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout == "False\n"
