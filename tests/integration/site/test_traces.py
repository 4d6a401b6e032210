"""One connected trace from a program's request, over a web process and an executor, to the agents."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pools.runtime.memory import MemoryRuntime
from teams.domain.roles import Role
from tests.factories.members import member
from tests.fakes.pools import site, until
from tests.fakes.receiver import Receiver, receiver
from tests.web_processes import answer, api, executor_process, web_process
from workflows.models import Run

pytestmark = pytest.mark.django_db(transaction=True)

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CODE = {"code": "def main(x=None):\n    return [1, 2, 3]\n"}
CHILD = {"name": "child", "steps": [{"id": "c", "type": "task", "run": CODE}]}
PARENT = {
    "name": "parent",
    "steps": [
        {"id": "a", "type": "task", "run": CODE},
        {
            "id": "m",
            "type": "map",
            "needs": ["a"],
            "over": "${steps.a.output}",
            "as": "x",
            "run": {"code": "def main(x):\n    return x\n"},
        },
        {"id": "w", "type": "workflow", "needs": ["m"], "workflow": "child"},
    ],
}


@dataclass(frozen=True)
class Seen:
    """A span as it was exported. `parent` is empty for a root."""

    name: str
    id: str
    parent: str
    trace: str
    process: str
    attributes: dict[str, Any]


def spans(kept: Receiver) -> list[Seen]:
    found = []
    for path, _, body in list(kept.received):
        assert path == "/v1/traces"
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {entry.key: entry.value.string_value for entry in group.resource.attributes}
            assert named["service.name"] == "agentainer-flow"
            for scope in group.scope_spans:
                for span in scope.spans:
                    told = {entry.key: entry.value.string_value for entry in span.attributes}
                    ids = (span.span_id.hex(), span.parent_span_id.hex(), span.trace_id.hex())
                    found.append(Seen(span.name, *ids, named["service.instance.id"], told))
    return found


@pytest.fixture
def collector() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def start(url: str, token: str) -> str:
    with api(url, token) as client:
        for document in (CHILD, PARENT):
            answer(client.post("workflows/", json=document), 201)
        headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        run: str = answer(client.post("workflows/parent/runs/", json={}, headers=headers), 201)["id"]
        return run


async def test_one_trace_from_the_request_to_the_agents(tmp_path: Path, collector: Receiver) -> None:
    person = await sync_to_async(member)(Role.ADMIN)
    token = person._headers["Authorization"].split()[1]
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    here = site(MemoryRuntime())
    async with here.running():
        with executor_process(tmp_path, **settings), web_process(tmp_path, **settings) as url:
            run_id = await asyncio.to_thread(start, url, token)
            rows = Run.objects.filter(pk=run_id, finished_at__isnull=False)
            await until(lambda: sync_to_async(rows.exists)(), 180)
            # Spans are told when they end: the run's is the last, and comes with all others.
            await until(lambda: len(named("run", collector)) >= 2)
    await here.runtime.close()
    run = await sync_to_async(Run.objects.get)(pk=run_id)
    assert run.state == "completed", run.error
    check(spans(collector), run_id)


def named(name: str, kept: Receiver) -> list[Seen]:
    return [span for span in spans(kept) if span.name == name and span.trace == TRACE]


def check(found: list[Seen], run_id: str) -> None:
    ours = {span.id: span for span in found if span.trace == TRACE}
    # Nothing hangs in the air: every span leads up to the one that the program began.
    assert {span.parent for span in ours.values()} - set(ours) == {CALLER}

    def way(span: Seen) -> list[str]:
        above = ours.get(span.parent)
        return [*(way(above) if above else []), span.name]

    ways = {tuple(way(span)) for span in ours.values()}
    request = "POST /api/v1/workflows/<str:name>/runs/"
    single = (request, "run", "step", "attempt")
    assert {
        (request,),
        (request, "run"),
        (request, "run", "step"),
        (*single, "lease"),
        (*single, "agent call"),
        (request, "run", "step", "lease"),
        (request, "run", "step", "run", "step", "attempt", "agent call"),
    } <= ways
    by_name = {
        name: [span for span in ours.values() if span.name == name] for name in ("run", "agent call", "step")
    }
    assert len(by_name["agent call"]) == 1 + 3 + 1
    assert {span.attributes["step_id"] for span in by_name["step"]} == {"a", "m", "w", "c"}
    (top,) = [span for span in by_name["run"] if way(span) == [request, "run"]]
    assert top.attributes["run_id"] == run_id
    # Two processes told of it.
    (asked,) = [span for span in ours.values() if span.name == request]
    assert asked.process != top.process
