"""Traces: when they are on, what off means, and how a context goes on."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import MiddlewareNotUsed
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from aflow_site.api.tracing import trace_requests
from aflow_site.kernel import tracing
from tests.fakes.pools import invocation
from tests.unit.pools.test_caller import Agent, answer, caller

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.start_with(exporter, at_once=True)
    yield exporter
    tracing.stop()


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_when_traces_are_wanted(environ: dict[str, str], wanted: bool) -> None:
    assert tracing.is_wanted(environ) is wanted


def test_off_makes_nothing() -> None:
    tracing.start({})
    assert not tracing.is_on()
    with tracing.span("run", parent=PARENT, run_id="r") as span:
        assert span is None
        assert tracing.traceparent() == ""
    assert tracing.span("a") is tracing.span("b", step_id="s")

    def work() -> None: ...

    assert tracing.carried(work) is work
    with pytest.raises(MiddlewareNotUsed):
        trace_requests(lambda _request: None)


def test_what_cannot_be_done_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(tracing.TracingUnavailable, match="'jaeger'"):
        tracing.start({"OTEL_TRACES_EXPORTER": "jaeger"})
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(tracing.TracingUnavailable, match="pip install"):
        tracing.start({"OTEL_TRACES_EXPORTER": "otlp"})
    assert not tracing.is_on()


def test_a_context_goes_on_by_its_text_and_into_threads(spans: InMemorySpanExporter) -> None:
    with tracing.span("outer", parent=PARENT, nothing=None, http__route="/x", number=3):
        assert tracing.traceparent().startswith(PARENT[:36])
        work = tracing.carried(lambda: tracing.traceparent())
        told: list[str] = []
        thread = threading.Thread(target=lambda: told.append(work()))
        thread.start()
        thread.join()
        assert told == [tracing.traceparent()]
    (outer,) = spans.get_finished_spans()
    assert dict(outer.attributes or {}) == {"http.route": "/x", "number": 3}
    assert outer.parent is not None
    assert f"{outer.parent.span_id:016x}" == PARENT[36:52]
    with tracing.span("fresh", parent="no traceparent"):
        pass
    assert spans.get_finished_spans()[1].parent is None


async def test_the_agent_is_told(spans: InMemorySpanExporter) -> None:
    class Curious(Agent):
        headers: Any = None

        async def send(self, url: str, body: bytes, headers: Any, **options: Any) -> Any:
            self.headers = headers
            return await super().send(url, body, headers, **options)

    agent = Curious(answer(200, output=1))
    calls, held = caller(agent)
    with tracing.span("attempt", parent=PARENT):
        await calls.invoke(held, invocation({"x": 1}))
    call, attempt = spans.get_finished_spans()
    assert (call.name, attempt.name) == ("agent call", "attempt")
    assert call.context is not None
    assert agent.headers["traceparent"] == f"{PARENT[:36]}{call.context.span_id:016x}-01"
    assert agent.headers["Authorization"] == held.headers["Authorization"]
    assert "traceparent" not in held.headers
