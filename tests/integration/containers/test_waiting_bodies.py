"""Bodies that wait for agents and runs, on real containers: nobody is stuck, whatever the pools' sizes."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import docker
import pytest

from agentainer_flow import ExecutionMode, WorkflowClient
from agentainer_flow.cli.loading import workflow_class_of
from pools.runtime.images import ensure_built_in
from tests.live_platform import LivePlatform

pytestmark = pytest.mark.docker

SECONDS = 240.0
PROCESSOR = """
    from agentainer_flow.agent import serve
    serve(lambda given, context: 10 * given["item"])
"""
DOCKERFILE = """FROM {base}
COPY agent.py /opt/agent.py
ENTRYPOINT ["python3", "/opt/agent.py"]
"""
DEPLOYS = """
    from agentainer_flow import Context, step, workflow

    @workflow(name="deploys-MODE")
    class Deploys:
        @step
        def items(self, ctx: Context):
            return list(range(COUNT))

        @step(parallel=True, max_workers=10MORE)
        async def process(self, ctx: Context):
            agent = await ctx.deploy_agent("processor:latest")
            return await agent.wait()
"""
SAME_POOL = """
    from agentainer_flow import Context, step, workflow

    @workflow(name="same-pool-child", params={"type": "object", "properties": {"n": {"type": "integer"}}})
    class Child:
        @step
        def double(self, ctx: Context, n=0):
            return 2 * n
"""
PARENT = """
    from agentainer_flow import Context, step, workflow

    ADD = "def main(n):\\n    return n + 1"

    @workflow(name="same-pool")
    class Parent:
        @step
        def items(self, ctx: Context):
            return list(range(COUNT))

        @step(parallel=True, max_workers=COUNT, execution_mode="pooled")
        async def work(self, ctx: Context, n):
            agent = await ctx.deploy_agent("python", start=False)
            more = await agent.invoke({"n": n}, code=ADD)
            return more if n % 10 else await ctx.run_workflow("same-pool-child", {"n": more})
"""


@pytest.fixture
def client(platform: LivePlatform) -> Iterator[WorkflowClient]:
    with WorkflowClient(platform.url, platform.credentials["token"]) as client:
        yield client


@pytest.fixture
def processor(platform: LivePlatform) -> None:
    """The image of an agent in five lines, beside the built-in one."""
    engine, context = docker.from_env(), io.BytesIO()
    files = {
        "Dockerfile": DOCKERFILE.format(base=ensure_built_in(engine)),
        "agent.py": dedent(PROCESSOR),
    }
    with tarfile.open(fileobj=context, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    context.seek(0)
    engine.images.build(fileobj=context, custom_context=True, tag="processor:latest", rm=True)
    engine.close()


def program(directory: Path, name: str, text: str) -> type:
    file = directory / f"{name}.py"
    file.write_text(dedent(text))
    return workflow_class_of(file)


@pytest.mark.parametrize(
    ("mode", "more", "count"), [("standard", "", 4), ("pooled", ', execution_mode="pooled"', 50)]
)
@pytest.mark.usefixtures("processor")
def test_each_body_deploys_an_agent(
    client: WorkflowClient, tmp_path: Path, mode: str, more: str, count: int
) -> None:
    text = DEPLOYS.replace("MODE", mode).replace("MORE", more).replace("COUNT", str(count))
    run = client.run(program(tmp_path, f"deploys_{mode}", text), mode=ExecutionMode.ASYNC)
    assert run.result(SECONDS) == [10 * number for number in range(count)]
    agents = {
        agent["id"]: agent["uses"] for agent in client.list_agents() if "processor" in (agent["pool"] or "")
    }
    if mode == "pooled":
        assert max(agents.values()) > 1, "warm agents serve one body after the other"


@pytest.mark.parametrize(("size", "count"), [(1, 50)])
def test_bodies_agents_and_runs_share_a_small_pool(
    client: WorkflowClient, tmp_path: Path, size: int, count: int
) -> None:
    client.deploy(program(tmp_path, "same_pool_child", SAME_POOL))
    before = client.get_pool("python")
    client.resize_pool("python", size, size)
    try:
        run = client.run(
            program(tmp_path, f"same_pool_{size}", PARENT.replace("COUNT", str(count))),
            mode=ExecutionMode.ASYNC,
        )
        output = run.result(SECONDS)
    finally:
        client.resize_pool("python", before["min_size"], before["max_size"])
    assert output == [2 * (n + 1) if n % 10 == 0 else n + 1 for n in range(count)]


@pytest.mark.usefixtures("processor")
def test_fifty_bodies_wait_for_a_pool_of_one(client: WorkflowClient, tmp_path: Path) -> None:
    """All at once, from a pool of one themselves: what waits is parked, in as many containers as it needs."""
    text = DEPLOYS.replace("MODE", "one").replace("MORE", ', execution_mode="pooled"').replace("COUNT", "50")
    program_of_one = program(tmp_path, "deploys_one", text.replace("max_workers=10", "max_workers=50"))
    before = client.get_pool("python")
    client.resize_pool("python", 1, 1)
    shared = next(pool for pool in client.list_pools() if pool["image"] == "processor:latest")
    client.resize_pool(shared["name"], 0, 1)
    try:
        run = client.run(program_of_one, mode=ExecutionMode.ASYNC)
        assert run.result(SECONDS) == [10 * number for number in range(50)]
    finally:
        client.resize_pool("python", before["min_size"], before["max_size"])
