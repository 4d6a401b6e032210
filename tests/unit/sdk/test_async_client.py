"""The awaited client, and the blocking one that is made of it."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from agentainer_flow import AsyncWorkflowClient, ExecutionMode, RunFailed, WorkflowClient
from agentainer_flow.client import requests
from agentainer_flow.errors import NotFound, UnreachableError, WaitTimeout
from tests.sync_client import CLIENT, SOURCES, blocking
from tests.unit.sdk.platform_twin import TOKEN, URL, PlatformTwin
from tests.unit.sdk.sample_flow import Sample


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_the_blocking_client_is_up_to_date(source: Path) -> None:
    assert (CLIENT / source.name).read_text() == blocking(source), "make it anew: just client"


def test_both_have_the_same_names() -> None:
    names = {
        name: {one for one in dir(cls) if not one.startswith("_")} - {"aclose", "close"}
        for name, cls in (("sync", WorkflowClient), ("async", AsyncWorkflowClient))
    }
    assert names["sync"] == names["async"]
    for name in names["sync"]:
        signatures = [inspect.signature(getattr(cls, name)) for cls in (WorkflowClient, AsyncWorkflowClient)]
        assert list(signatures[0].parameters) == list(signatures[1].parameters), name


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch) -> PlatformTwin:
    monkeypatch.setattr(requests, "PAUSES", (0.0, 0.0, 0.0))
    return PlatformTwin()


@pytest.fixture
async def client(twin: PlatformTwin) -> AsyncIterator[AsyncWorkflowClient]:
    async with AsyncWorkflowClient(URL, TOKEN, transport=twin.transport) as made:
        yield made


async def test_a_class_is_deployed_run_and_waited_for(
    client: AsyncWorkflowClient, twin: PlatformTwin
) -> None:
    run = await client.run(Sample, {"size": 2})
    assert run.ended
    assert await run.state == "completed"
    assert await client.get_result(run.id) == await run.result()
    assert [event["seq"] async for event in run.events()]
    assert [one["id"] for one in await client.list_runs(limit=1)] == [run.id]
    assert (await client.list_pools())[0]["name"] == "python"
    assert len(twin.bundles) == 1


async def test_failures_are_typed(client: AsyncWorkflowClient, twin: PlatformTwin) -> None:
    twin.state, twin.error = "failed", {"type": "ValueError", "message": "no", "step": "a"}
    run = await client.run(Sample, mode=ExecutionMode.ASYNC)
    with pytest.raises(RunFailed, match="no"):
        await run.result()
    with pytest.raises(NotFound):
        await client.get_workflow("nothing")
    twin.looks = 10**9
    slow = await client.run(Sample, mode=ExecutionMode.ASYNC)
    with pytest.raises(WaitTimeout, match="goes on"):
        await slow.wait(0.01)


async def test_a_request_with_a_key_is_sent_again_and_counts_once(
    client: AsyncWorkflowClient, twin: PlatformTwin
) -> None:
    await client.deploy(Sample)
    troubles: Iterator[Exception | httpx.Response] = iter([httpx.ReadTimeout("slow"), httpx.Response(503)])

    def trouble(request: httpx.Request) -> httpx.Response | None:
        found = next(troubles, None) if request.url.path.endswith("/runs/") else None
        if isinstance(found, Exception):
            raise found
        return found

    twin.trouble = trouble
    await client.run("sample", mode=ExecutionMode.ASYNC)
    assert len(twin.runs) == 1
    keys = {r.headers.get("idempotency-key") for r in twin.requests if r.url.path.endswith("/runs/")}
    assert len(keys) == 1


async def test_a_platform_that_is_away_is_told(client: AsyncWorkflowClient, twin: PlatformTwin) -> None:
    def away(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    twin.trouble = away
    with pytest.raises(UnreachableError, match="does not answer"):
        await client.list_workflows()
