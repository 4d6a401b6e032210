"""The SDK as people install it: its wheel alone, in an environment with nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.live_platform import ROOT

BUILD = "from setuptools import build_meta; import sys; print(build_meta.build_wheel(sys.argv[1]))"
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
import sdk_word_count
from agentainer_flow import compile_workflow

run = sdk_word_count.WordCount.run_local(most=1)
loaded = sorted({name.partition(".")[0] for name in sys.modules})
steps = [step["id"] for step in compile_workflow(sdk_word_count.WordCount)["steps"]]
print(json.dumps({"output": run.result(), "steps": steps, "loaded": loaded}))
"""
LAZY = ("asyncio", "hashlib", "httpx", "zipfile")
NAMES = "Context, ErrorHandler, ExecutionMode, RetryPolicy, WorkflowClient, parallel, step, workflow"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment in which the wheel was unpacked."""
    folder = tmp_path_factory.mktemp("alone")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "agentainer_flow", source / "agentainer_flow")
    built = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)], cwd=source, capture_output=True, text=True, check=True
    )
    wheel = folder / built.stdout.splitlines()[-1]
    venv.create(folder / "venv", symlinks=True)
    paths = sysconfig.get_paths("venv", vars={"base": str(folder / "venv"), "platbase": str(folder / "venv")})
    zipfile.ZipFile(wheel).extractall(paths["purelib"])
    return folder / "venv" / "bin" / "python"


def said(python: Path, *arguments: str) -> str:
    done = subprocess.run([str(python), "-I", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_defines_compiles_and_runs_a_workflow(python: Path) -> None:
    told = json.loads(said(python, "-c", PROGRAM, str(ROOT / "examples")))
    assert told["output"] == {"words": 23, "most_frequent": [{"word": "the", "count": 4}]}
    assert told["steps"][0] == "texts"
    assert not {"django", "httpx", "pools", "workflows", "yaml"} & set(told["loaded"])


def test_its_types_go_along(python: Path) -> None:
    where = said(python, "-c", "import agentainer_flow; print(agentainer_flow.__file__)").strip()
    assert (Path(where).parent / "py.typed").exists()


def test_the_import_waits_for_nothing_that_definitions_do_not_need(python: Path) -> None:
    loaded = said(
        python, "-c", f"import sys; from agentainer_flow import {NAMES}; print(*sys.modules)"
    ).split()
    assert [name for name in LAZY if name in loaded] == []
