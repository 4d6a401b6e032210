"""Programs exactly as users write them, on pooled containers of a whole platform."""

from __future__ import annotations

import importlib
import io
import json
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from textwrap import dedent
from typing import Any

import docker
import pytest

from agentainer_flow import ExecutionMode, RunFailed, WorkflowClient
from pools.runtime.images import ensure_built_in
from tests.fakes.outside import host_of
from tests.live_platform import LivePlatform

pytestmark = pytest.mark.docker

SECONDS = 180.0
PROCESSOR = """
    from agentainer_flow.agent import serve

    def work(given, context):
        many = given.get("items")
        return 10 * given["item"] if many is None else [10 * one["n"] for one in many]

    serve(work)
"""
AGGREGATOR = """
    from agentainer_flow.agent import serve
    serve(lambda given, context: sum(one for one in given["results"] if one is not None))
"""
DOCKERFILE = """FROM {base}
COPY agent.py /opt/agent.py
ENTRYPOINT ["python3", "/opt/agent.py"]
"""
ORDERS = 2500
PROGRAMS = """
from agentainer_flow import Context, ErrorHandler, mapreduce, step, workflow

ITEMS = {"type": "object", "properties": {"items": {"type": "array", "default": [1, 2, 3]}}}
WHERE = {"type": "object", "properties": {"where": {"type": "string"}}, "required": ["where"]}


@workflow(name="program-a", params=WHERE)
class A:
    @mapreduce(
        mapper="processor:latest",
        reducer="aggregator:latest",
        pool_size=10,
        error_strategy="continue_on_partial",
    )
    def process(self, ctx: Context, where):
        return {"source": where, "batch_size": 1000}


@workflow(name="program-b")
class B:
    @step
    def items(self, ctx: Context):
        return list(range(20))

    @step(
        parallel=True,
        pool_config={"mode": "pooled", "size": 5, "warm_up": True, "max_uses": 100, "idle_timeout": 300},
    )
    async def process(self, ctx: Context, item):
        return item * item


@workflow(
    scaling={
        "enabled": True,
        "min": 1,
        "max": 50,
        "metrics": ["queue_depth", "response_time"],
        "policy": "aggressive",
    }
)
class ProgramC:
    @step(parallel=False)
    def work(self, ctx: Context):
        return "scaled"


@workflow(name="program-e", params=ITEMS)
class E:
    @mapreduce(mapper="processor:latest", pool_size=5)
    async def process_all(self, ctx, items):
        return {"items": items}


@workflow(name="program-f-child")
class Child:
    @step
    def work(self, ctx: Context):
        return "done"


@workflow(name="program-f", params=ITEMS)
class F:
    @step
    def listing(self, ctx: Context, items):
        ctx.state.set("count", len(items))
        return items

    @step(
        depends_on=["listing"],
        parallel=True,
        dynamic=True,
        error_handler=ErrorHandler.CONTINUE_ON_PARTIAL,
        min_success_rate=0.6,
    )
    def process(self, ctx: Context, item):
        if item == 2:
            raise ValueError("two")
        ctx.state.increment("processed")
        return item

    @step(depends_on=["process"], reduce=True)
    def total(self, ctx: Context, results):
        return sum(result or 0 for result in results)

    @step(depends_on=["total"], when="steps.total.output > 100")
    def large(self, ctx: Context):
        return "large"

    @step(depends_on=["total"])
    async def child(self, ctx: Context):
        return await ctx.run_workflow("program-f-child")

    @step(depends_on=["large", "child"], always_run=True)
    def clean(self, ctx: Context, total, child):
        return [total, child, ctx.state.all()]
"""


@pytest.fixture
def client(platform: LivePlatform) -> Iterator[WorkflowClient]:
    with WorkflowClient(platform.url, platform.credentials["token"]) as client:
        yield client


@pytest.fixture(scope="module")
def images() -> None:
    engine = docker.from_env()
    for name, agent in (("processor", PROCESSOR), ("aggregator", AGGREGATOR)):
        context = io.BytesIO()
        files = {"Dockerfile": DOCKERFILE.format(base=ensure_built_in(engine)), "agent.py": dedent(agent)}
        with tarfile.open(fileobj=context, mode="w") as archive:
            for file, text in files.items():
                entry = tarfile.TarInfo(file)
                entry.size = len(text.encode())
                archive.addfile(entry, io.BytesIO(text.encode()))
        context.seek(0)
        engine.images.build(fileobj=context, custom_context=True, tag=f"{name}:latest", rm=True)
    engine.close()


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A package with the programs and the orders that one of them reads."""
    folder = tmp_path_factory.mktemp("programs")
    package = folder / "user_programs"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "flows.py").write_text(PROGRAMS)
    lines = (json.dumps({"n": number}) for number in range(ORDERS))
    (package / "orders.jsonl").write_text("\n".join(lines))
    sys.path.insert(0, str(folder))
    yield importlib.import_module("user_programs.flows")
    sys.path.remove(str(folder))
    for name in ("user_programs", "user_programs.flows"):
        sys.modules.pop(name, None)


@contextmanager
def served(engine: docker.DockerClient, body: bytes) -> Iterator[str]:
    """A URL where ordinary containers get."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            """Nothing is said."""

    host = host_of(engine)
    server = ThreadingHTTPServer((host, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{host}:{server.server_port}/lines.txt"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.usefixtures("images")
def test_a_source_that_came_with_the_program(client: WorkflowClient, programs: Any) -> None:
    given = {"where": "user_programs/orders.jsonl"}
    run = client.run(programs.A, given, mode=ExecutionMode.ASYNC)
    assert run.result(SECONDS) == 10 * sum(range(ORDERS))
    step = next(one for one in run.steps() if one["id"] == "process")
    assert step["counts"]["completed"] == ORDERS


@pytest.mark.usefixtures("images")
def test_a_source_outside(client: WorkflowClient, programs: Any) -> None:
    """Refused in words to agents that reach nothing outside; read by those of a pool with egress."""
    run = client.run(programs.A, {"where": "http://example.test/orders.csv"}, mode=ExecutionMode.ASYNC)
    with pytest.raises(
        RunFailed, match=r"orders\.csv is outside, and the agents of pool python reach nothing"
    ):
        run.result(SECONDS)
    client.create_pool("outside", min_size=0, max_size=1, network="egress")
    engine = docker.from_env()
    document = {
        "name": "reads-outside",
        "params": {"type": "object", "properties": {"where": {"type": "string"}}},
        "steps": [
            {
                "id": "lines",
                "type": "map",
                "over": {"source": "${params.where}", "pool": "outside", "format": "text"},
                "run": {"code": "def main(item):\n    return item"},
            }
        ],
    }
    try:
        with served(engine, b"one\ntwo\n") as url:
            client.save_workflow(document)
            read = client.run("reads-outside", {"where": url}, mode=ExecutionMode.ASYNC)
            assert read.result(SECONDS) == ["one", "two"]
    finally:
        engine.close()
        client.delete_pool("outside")


@pytest.mark.usefixtures("images")
def test_the_others(client: WorkflowClient, programs: Any) -> None:
    client.deploy(programs.Child)
    runs = [
        client.run(one, mode=ExecutionMode.ASYNC)
        for one in (programs.B, programs.ProgramC, programs.E, programs.F)
    ]
    b, c, e, f = runs
    assert b.result(SECONDS) == [number * number for number in range(20)]
    assert c.result(SECONDS) == "scaled"
    assert client.get_workflow("program-c")["document"]["scaling"]["max"] == 50
    assert e.result(SECONDS) == [10, 20, 30]
    assert f.result(SECONDS) == [4, "done", {"count": 3, "processed": 2}]
    assert {one["id"]: one["state"] for one in f.steps()}["large"] == "skipped"
