"""The SDK: its import, a compile, a deployment with its first result, and bodies in a warm agent.

    ./aflow bench sdk [--times N] [--items N]

Needs a running platform. JSON lines: milliseconds of wall time that the import of the names that every
workflow uses adds to a bare interpreter, and that decorating and compiling a workflow of 500 steps takes;
seconds from `client.run` of a class that the platform has never seen to the result of its one step; bodies a
second in one warm agent, over a map of N items, from the start of its step to the end.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import FunctionType
from uuid import uuid4

from agentainer_flow import Context, WorkflowClient, compile_workflow, step, workflow
from agentainer_flow.cli.loading import workflow_class_of
from agentainer_flow.sdk.bundling import Bundle
from benchmarks.platform import Platform, report

IMPORT = (
    "from agentainer_flow import Context, RetryPolicy, WorkflowClient, mapreduce, parallel, step, workflow"
)
STEPS = 500
PROGRAM = '''
from agentainer_flow import Context, step, workflow

@workflow(name="bench-sdk-first")
class First:
    """{unique}"""

    @step
    def work(self, ctx: Context) -> str:
        return "{unique}"
'''
BODIES = """
from agentainer_flow import Context, step, workflow

@workflow(name="bench-sdk-bodies")
class Bodies:
    @step
    def items(self, ctx: Context) -> list[int]:
        return list(range({items}))

    @step(parallel=True, pool_size=1)
    def work(self, ctx: Context, item: int) -> int:
        return item
"""


def wall(call: Callable[[], object]) -> float:
    """Seconds."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def imports(times: int) -> list[float]:
    """Milliseconds; the bare interpreter in between meets the same machine."""

    def run(code: str) -> float:
        return wall(lambda: subprocess.run([sys.executable, "-c", code], check=True))

    run(IMPORT)  # writes the byte code
    return [max(0.0, run(IMPORT) - run("pass")) * 1000 for _ in range(times)]


def compiles(times: int) -> list[float]:
    def work(self: object, ctx: Context) -> None:
        """A step."""

    def made() -> None:
        body: dict[str, object] = {}
        for number in range(STEPS):
            method = FunctionType(work.__code__, {}, f"step_{number}")
            body[f"step_{number}"] = step(method)
        compile_workflow(workflow(type("Large", (), body)), Bundle("large", b"", "0" * 64))

    return [wall(made) * 1000 for _ in range(times)]


def loaded(folder: Path, text: str) -> type:
    file = folder / f"bench_{uuid4().hex}.py"
    file.write_text(text)
    return workflow_class_of(file)


def firsts(client: WorkflowClient, folder: Path, times: int) -> list[float]:
    found = []
    for _ in range(times):
        unique = uuid4().hex
        first = loaded(folder, PROGRAM.format(unique=unique))
        found.append(wall(lambda first=first: client.run(first).result()))  # type: ignore[misc]
    return found


def bodies(client: WorkflowClient, folder: Path, items: int, times: int) -> list[float]:
    program = loaded(folder, BODIES.format(items=items))
    client.run(program)  # its agent is warm from here on
    found = []
    for _ in range(times):
        run = client.run(program)
        run.result()
        work = next(one for one in run.steps() if one["id"] == "work")
        begun, ended = (datetime.fromisoformat(work[name]) for name in ("started_at", "finished_at"))
        found.append(items / (ended - begun).total_seconds())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures the SDK.")
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--items", type=int, default=5000)
    parser.add_argument("--data-dir", default=os.environ.get("AFLOW_DATA_DIR"))
    given = parser.parse_args()
    report("sdk", "import", imports(given.times), "ms")
    report("sdk", f"compile {STEPS} steps", compiles(given.times), "ms")
    url, headers = Platform(given.data_dir).address()
    token = headers["Authorization"].removeprefix("Token ")
    with (
        WorkflowClient(url.removesuffix("/api/v1/"), token) as client,
        tempfile.TemporaryDirectory() as folder,
    ):
        report("sdk", "deploy and first result", firsts(client, Path(folder), given.times), "s")
        report("sdk", "bodies in one warm agent", bodies(client, Path(folder), given.items, 3), "bodies/s")


if __name__ == "__main__":
    main()
