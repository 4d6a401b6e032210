"""Traces by OpenTelemetry: from a request to the run, its steps, their leases, and the agents.

Off unless the environment names an exporter or its endpoint (`OTEL_TRACES_EXPORTER`,
`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`), by OpenTelemetry's own specification of
environment variables; everything else about them is read by its SDK, which the extra `tracing` installs.
Off costs one comparison and a dictionary for each span that is not made.

Does not: decide what is traced, or fail anybody's work. A context crosses processes as the text of the
W3C's `traceparent` header.
"""

from __future__ import annotations

import contextvars
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from aflow_site.kernel.errors import FlowError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer

P = ParamSpec("P")
T = TypeVar("T")

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
LONGEST = 55  # characters of a traceparent of version 00

_tracer: Tracer | None = None
_provider: TracerProvider | None = None
_NOTHING: AbstractContextManager[None] = nullcontext()


class TracingUnavailable(FlowError):
    code = "tracing"
    title = "Traces cannot be sent"


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether the environment asks for traces."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip()
    if exporter:
        return exporter != "none"
    return any(environ.get(name) for name in ENDPOINTS)


def start(environ: Mapping[str, str] = os.environ) -> None:
    """Once in each process. Raises `TracingUnavailable` when traces are wanted and cannot be sent."""
    if _tracer is None and is_wanted(environ):
        start_with(_exporter(environ.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"))


def start_with(exporter: SpanExporter, *, at_once: bool = False) -> None:
    """`at_once` exports each span as it ends, where others send them in batches."""
    global _tracer, _provider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

    resource = {"service.instance.id": os.environ.get("SUPERVISOR_PROCESS_NAME") or str(os.getpid())}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        resource["service.name"] = "agentainer-flow"
    _provider = TracerProvider(resource=Resource.create(resource))
    _provider.add_span_processor(SimpleSpanProcessor(exporter) if at_once else BatchSpanProcessor(exporter))
    _tracer = _provider.get_tracer("agentainer-flow")


def _exporter(name: str) -> SpanExporter:
    try:
        if name == "otlp":
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            return OTLPSpanExporter()
        if name == "console":
            from opentelemetry.sdk.trace.export import ConsoleSpanExporter

            return ConsoleSpanExporter()
    except ImportError as exc:
        raise TracingUnavailable(
            "The environment asks for traces (OTEL_…), and OpenTelemetry is not installed: run "
            "`pip install '.[tracing]'` in the virtual environment, or set OTEL_SDK_DISABLED=true."
        ) from exc
    raise TracingUnavailable(f"OTEL_TRACES_EXPORTER is otlp, console or none, not {name[:40]!r}.")


def stop() -> None:
    """Sends what is left, and makes no spans any more."""
    global _tracer, _provider
    if _provider is not None:
        _provider.shutdown()
    _tracer = _provider = None


def is_on() -> bool:
    return _tracer is not None


def span(
    name: str, *, kind: str = "internal", parent: str | None = None, **attributes: Any
) -> AbstractContextManager[Span | None]:
    """Around a piece of work: a span under the present one, or under `parent` (a traceparent; what is none is
    passed over). None while traces are off.

    `kind` is internal, server, client, producer or consumer; attributes that are None are left out.
    """
    if _tracer is None:
        return _NOTHING
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract({"traceparent": parent}) if parent else None
    told = {key.replace("__", "."): _plain(value) for key, value in attributes.items() if value is not None}
    return _tracer.start_as_current_span(name, context, SpanKind[kind.upper()], told)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | list) else str(value)


def traceparent() -> str:
    """The present span, for whoever goes on in another process; empty without one, and when it is off."""
    if _tracer is None:
        return ""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent", "")[:LONGEST]


def carried(function: Callable[P, T]) -> Callable[P, T]:
    """The same, with the present span as its own when it is called in another thread."""
    if _tracer is None:
        return function
    context = contextvars.copy_context()

    def inside(*args: P.args, **kwargs: P.kwargs) -> T:
        return context.run(function, *args, **kwargs)

    return inside
