"""A span for each HTTP request, under the caller's own where it sends a `traceparent`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

from aflow_site.kernel import tracing

QUIET = ("/healthz", "/readyz", "/metrics", "/static/")  # asked every few seconds, and nobody's work


@sync_and_async_middleware
def trace_requests(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    if not tracing.is_on():
        raise MiddlewareNotUsed

    async def aware(request: HttpRequest) -> HttpResponse:
        if request.path.startswith(QUIET):
            waiting: Awaitable[HttpResponse] = get_response(request)
            return await waiting
        with _span(request) as span:
            answering: Awaitable[HttpResponse] = get_response(request)
            answer = await answering
            _tell(span, request, answer)
            return answer

    def plain(request: HttpRequest) -> HttpResponse:
        if request.path.startswith(QUIET):
            quiet: HttpResponse = get_response(request)
            return quiet
        with _span(request) as span:
            answer: HttpResponse = get_response(request)
            _tell(span, request, answer)
            return answer

    return aware if inspect.iscoroutinefunction(get_response) else plain


def _span(request: HttpRequest) -> Any:
    method = request.method or "GET"
    return tracing.span(
        method,
        kind="server",
        parent=request.headers.get("traceparent"),
        http__request__method=method,
        url__path=request.path,
    )


def _tell(span: Any, request: HttpRequest, answer: HttpResponse) -> None:
    """The route is known once a view was found."""
    match = request.resolver_match
    if match is not None and match.route:
        span.update_name(f"{request.method} /{match.route}")
        span.set_attribute("http.route", f"/{match.route}")
    span.set_attribute("http.response.status_code", answer.status_code)
