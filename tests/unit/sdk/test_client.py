"""The client against the platform's twin: deploying, running, waiting, and what goes wrong on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from agentainer_flow import DefinitionError, ExecutionMode, RunCancelled, RunFailed, WorkflowClient
from agentainer_flow.client import requests
from agentainer_flow.errors import (
    AuthenticationError,
    Conflict,
    FlowAPIError,
    InvalidRequest,
    NotFound,
    Overloaded,
    PreconditionFailed,
    UnreachableError,
    WaitTimeout,
)
from tests.unit.sdk.platform_twin import TOKEN, URL, PlatformTwin, problem
from tests.unit.sdk.sample_flow import Sample

DOCUMENT = {"name": "hello", "steps": [{"id": "a"}]}


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch) -> PlatformTwin:
    monkeypatch.setattr(requests, "PAUSES", (0.0, 0.0, 0.0))
    return PlatformTwin()


@pytest.fixture
def client(twin: PlatformTwin) -> Iterator[WorkflowClient]:
    with WorkflowClient(URL, TOKEN, transport=twin.transport) as made:
        yield made


# --- what is never sent -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda c: c.run("x", mode="sync"), "mode is ExecutionMode.SYNC or ExecutionMode.ASYNC, not 'sync'"),
        (lambda c: c.run("x", tags="nightly"), "tags is a list, not 'nightly'"),
        (lambda c: c.run("x", ["a"]), "params is a dict"),
        (lambda c: c.run("x", {"a": {1}}), "run: params must be JSON"),
        (lambda c: c.run("x", {"a": float("nan")}), "run: params must be JSON"),
        (lambda c: c.map_reduce("x", items="abc"), "items is a list, not 'abc'"),
        (lambda c: c.map_reduce("x", items={"a": 1}), "items is a list"),
        (lambda c: c.map_reduce("x", items=[1], mode="x"), "mode is ExecutionMode"),
        (lambda c: c.map_reduce(len, items=[1]), "mapper is an image, not <built-in function len>"),
        (lambda c: c.map_reduce("x", 5, items=[1]), "reducer is an image, not 5"),
        (lambda c: c.create_workflow({"name": {1}}), "sent to the platform must be JSON: Object of type set"),
        (lambda c: c.create_workflow({"name": "\ud800"}), "sent to the platform must be JSON"),
    ],
)
def test_what_makes_no_sense_is_told_at_once(
    client: WorkflowClient, twin: PlatformTwin, call: Callable[[WorkflowClient], Any], sentence: str
) -> None:
    with pytest.raises(DefinitionError, match=sentence):
        call(client)
    assert twin.requests == []


# --- deploying --------------------------------------------------------------------------------------------


def test_deploy_creates_and_then_updates(client: WorkflowClient, twin: PlatformTwin) -> None:
    assert client.deploy(Sample)["version"] == 1
    assert client.deploy(Sample)["version"] == 1  # nothing changed
    twin.workflows["sample"]["document"] = {**twin.workflows["sample"]["document"], "description": "older"}
    assert client.deploy(Sample)["version"] == 2
    assert len(twin.bundles) == 3


def test_deploy_keeps_the_places_on_the_canvas(client: WorkflowClient, twin: PlatformTwin) -> None:
    client.deploy(Sample)
    layout = {"numbers": {"x": 5, "y": 5}, "gone": {"x": 0, "y": 0}}
    twin.workflows["sample"]["document"]["layout"] = layout
    assert client.deploy(Sample)["document"]["layout"] == {"numbers": {"x": 5, "y": 5}}


def test_deploy_never_overwrites_what_came_between(client: WorkflowClient, twin: PlatformTwin) -> None:
    client.deploy(Sample)

    def faster(request: httpx.Request) -> None:
        if request.method == "PUT":
            twin.workflows["sample"]["etag"] = '"9"'

    twin.trouble = faster
    with pytest.raises(PreconditionFailed):
        client.deploy(Sample)


def test_faults_of_a_document_are_listed(client: WorkflowClient) -> None:
    with pytest.raises(InvalidRequest) as caught:
        client.create_workflow({"name": "empty", "steps": []})
    assert caught.value.code == "invalid_document"
    assert [(fault.path, fault.message) for fault in caught.value.faults] == [("steps", "Add a step.")]
    assert "steps: Add a step." in str(caught.value)


# --- running ----------------------------------------------------------------------------------------------


def test_a_class_is_deployed_and_run(client: WorkflowClient) -> None:
    execution = client.run(Sample, params={"size": 2}, tags=["nightly"])
    assert execution.ended
    assert execution.run["tags"] == ["nightly"]
    assert execution.result() == {"params": {"size": 2}}


def test_a_large_output_is_fetched_from_where_it_lies(client: WorkflowClient, twin: PlatformTwin) -> None:
    sha256 = "a" * 64
    reference = {"$artifact": sha256, "size": 9_000_000, "content_type": "application/json"}

    def large(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(200, json=["large"]) if sha256 in request.url.path else None

    twin.trouble = large
    execution = client.run(Sample)
    execution.run["output"] = {**reference, "url": f"/api/v1/artifacts/{sha256}/"}
    assert execution.result() == ["large"]
    execution.run["output"] = reference  # a value of somebody's own
    assert execution.result() == reference


def test_a_class_runs_in_the_version_that_was_deployed(client: WorkflowClient, twin: PlatformTwin) -> None:
    client.deploy(Sample)
    twin.workflows["sample"]["document"] = {**twin.workflows["sample"]["document"], "description": "older"}
    assert client.run(Sample).run["version"] == 2


def test_a_name_with_a_slash_leads_nowhere_else(client: WorkflowClient, twin: PlatformTwin) -> None:
    with pytest.raises(NotFound):
        client.get_workflow("../pools")
    assert twin.requests[-1].url.raw_path == b"/api/v1/workflows/..%2Fpools/"


def test_pages_stay_at_the_address_we_know(client: WorkflowClient, twin: PlatformTwin) -> None:
    def elsewhere(request: httpx.Request) -> httpx.Response | None:
        if request.url.params.get("cursor") is not None or not request.url.path.endswith("/pools/"):
            return None
        following = "https://inside.test:1/api/v1/pools/?cursor=0&limit=1"
        return httpx.Response(200, json={"results": [{"name": "first"}], "next": following})

    twin.trouble = elsewhere
    assert [pool["name"] for pool in client.list_pools()] == ["first", "python"]
    assert {request.url.host for request in twin.requests} == {"platform.test"}


def test_async_returns_at_once(client: WorkflowClient) -> None:
    client.create_workflow(DOCUMENT)
    execution = client.run("hello", mode=ExecutionMode.ASYNC)
    assert not execution.ended
    assert execution.state == "running"
    assert execution.wait(timeout=5).state == "completed"
    assert client.get_result(execution.id) == {"params": {}}
    assert client.run_workflow("hello").result() == {"params": {}}


def test_a_failed_run_raises_with_the_step_to_blame(client: WorkflowClient, twin: PlatformTwin) -> None:
    client.create_workflow(DOCUMENT)
    twin.state = "failed"
    twin.error = {"type": "ValueError", "message": "no", "step": "a", "traceback": "Traceback …"}
    execution = client.run("hello")
    with pytest.raises(RunFailed, match="failed in step a: ValueError: no") as caught:
        execution.result()
    failure = caught.value
    assert (failure.type, failure.step, failure.traceback) == ("ValueError", "a", "Traceback …")


def test_a_cancelled_run_raises_too(client: WorkflowClient, twin: PlatformTwin) -> None:
    client.create_workflow(DOCUMENT)
    twin.looks = 1000
    execution = client.run("hello", mode=ExecutionMode.ASYNC)
    execution.cancel()
    assert execution.state == "cancelled"
    with pytest.raises(RunCancelled):
        execution.result()


def test_waiting_has_an_end(client: WorkflowClient, twin: PlatformTwin) -> None:
    client.create_workflow(DOCUMENT)
    twin.looks = 10**6
    execution = client.run("hello", mode=ExecutionMode.ASYNC)
    with pytest.raises(WaitTimeout, match="it goes on"):
        execution.wait(timeout=0.05)
    with pytest.raises(TimeoutError):
        execution.result(timeout=0)


def test_events_come_in_order_and_once(client: WorkflowClient) -> None:
    client.create_workflow(DOCUMENT)
    execution = client.run("hello", mode=ExecutionMode.ASYNC)
    assert [event["seq"] for event in execution.events()] == [1, 2, 3, 4, 5]
    assert [event["seq"] for event in execution.events(after=3)] == [4, 5]


def test_logs_steps_and_lists(client: WorkflowClient) -> None:
    client.create_workflow(DOCUMENT)
    execution = client.run("hello")
    assert execution.logs(step="a")[0]["text"] == "hello"
    assert execution.steps()[0]["counts"]["total"] == 3
    for _ in range(4):
        client.run("hello")
    assert len(client.list_runs()) == 5  # over three pages
    assert len(client.list_runs(state="completed", limit=3)) == 3
    assert [workflow["name"] for workflow in client.list_workflows()] == ["hello"]
    assert client.list_pools() == [client.get_pool("python")]
    assert client.resize_pool("python", 2, 8)["max_size"] == 8
    assert client.list_agents(pool="python")[0]["pool"] == "python"


# --- trouble ----------------------------------------------------------------------------------------------


def test_a_run_is_started_once_though_the_connection_breaks(
    client: WorkflowClient, twin: PlatformTwin
) -> None:
    client.create_workflow(DOCUMENT)
    broken: list[str] = []

    def break_after(request: httpx.Request) -> None:
        if request.url.path.endswith("/runs/") and len(broken) < 2:
            broken.append(request.headers["idempotency-key"])
            twin._start(request, "hello")  # it arrived; the answer did not
            raise httpx.ReadError("connection reset")

    twin.trouble = break_after
    client.run("hello")
    assert len(twin.runs) == 1
    assert len(set(broken)) == 1


def test_a_save_that_may_have_arrived_is_not_repeated(client: WorkflowClient, twin: PlatformTwin) -> None:
    def break_it(request: httpx.Request) -> None:
        raise httpx.ReadError("connection reset")

    twin.trouble = break_it
    with pytest.raises(UnreachableError, match="does not answer"):
        client.create_workflow(DOCUMENT)
    assert len(twin.requests) == 1


def test_what_cannot_have_arrived_is_repeated(client: WorkflowClient, twin: PlatformTwin) -> None:
    def refuse_twice(request: httpx.Request) -> None:
        if len(twin.requests) < 3:
            raise httpx.ConnectError("connection refused")

    twin.trouble = refuse_twice
    assert client.create_workflow(DOCUMENT)["version"] == 1


def test_a_platform_that_stays_away_is_told(client: WorkflowClient, twin: PlatformTwin) -> None:
    def refuse(request: httpx.Request) -> None:
        raise httpx.ConnectError("connection refused")

    twin.trouble = refuse
    with pytest.raises(UnreachableError, match="is it running"):
        client.list_pools()
    assert len(twin.requests) == 4


def test_an_overloaded_platform_is_asked_again(client: WorkflowClient, twin: PlatformTwin) -> None:
    twin.trouble = lambda request: (
        problem(503, "overloaded", "Later.", retry_after="0") if len(twin.requests) < 3 else None
    )
    assert client.get_pool("python")["name"] == "python"
    twin.trouble = lambda request: problem(503, "overloaded", "Later.", retry_after="0")
    with pytest.raises(Overloaded):
        client.get_pool("python")


def test_refusals_are_typed(client: WorkflowClient, twin: PlatformTwin) -> None:
    client.create_workflow(DOCUMENT)
    with pytest.raises(Conflict):
        client.create_workflow(DOCUMENT)
    with pytest.raises(NotFound, match="There is no workflow nope"):
        client.run("nope")
    with (
        WorkflowClient(URL, "wrong", transport=twin.transport) as stranger,
        pytest.raises(AuthenticationError),
    ):
        stranger.list_pools()
    twin.trouble = lambda request: httpx.Response(500, text="oops")
    with pytest.raises(FlowAPIError, match="status 500"):
        client.list_pools()
    twin.trouble = lambda request: httpx.Response(200, text="<html>a proxy</html>")
    with pytest.raises(UnreachableError, match="no JSON"):
        client.list_pools()
