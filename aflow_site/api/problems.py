"""Every error as an RFC 9457 problem document, by one handler."""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from redis.exceptions import RedisError
from rest_framework import exceptions
from rest_framework.response import Response

from aflow_site.kernel.errors import (
    Fault,
    FlowError,
    InvalidInput,
    NotAllowed,
    NotFound,
    Overloaded,
    TooLarge,
)

log = logging.getLogger(__name__)


class _FromFramework(FlowError):
    """An error of the REST framework in our clothes."""


def problem(error: FlowError) -> Response:
    response = Response(_body(error), status=error.status, headers=error.headers)
    response.content_type = "application/problem+json"
    return response


def plain_problem(error: FlowError) -> HttpResponse:
    """For what is answered before or beside the REST framework."""
    return JsonResponse(_body(error), status=error.status, content_type="application/problem+json")


def unknown_address(request: HttpRequest) -> HttpResponse:
    """For addresses under the API that lead nowhere."""
    return plain_problem(
        NotFound(f"There is nothing at {request.path}. What there is stands in /api/v1/docs/.")
    )


def refuse_nul(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: no name and no filter holds a NUL, and PostgreSQL takes none."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if "\x00" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
            return plain_problem(InvalidInput("The address holds a NUL character; take it out."))
        return get_response(request)

    return middleware


def _body(error: FlowError) -> dict[str, Any]:
    return {
        **error.members,
        "type": f"urn:agentainer:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "errors": [_fault(fault) for fault in error.faults],
    }


def _fault(fault: Fault) -> dict[str, Any]:
    return {"path": fault.path, "message": fault.message, "step": fault.step}


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    error = _translate(exc)
    if error is None:
        log.exception("unhandled error in %s", context.get("view"), exc_info=exc)
        error = FlowError("This is our fault, and it was logged. Try again; if it stays, report it.")
        error.code = "internal"
    response = problem(error)
    if error.status == 401:
        response["WWW-Authenticate"] = "Token"
    return response


def _translate(exc: Exception) -> FlowError | None:
    if isinstance(exc, FlowError):
        return exc
    if isinstance(exc, Http404):
        return NotFound("There is nothing at this address.")
    if isinstance(exc, PermissionDenied):
        return NotAllowed("You may not do this.")
    if isinstance(exc, RedisError):
        log.warning("Redis: %s", exc)
        return Overloaded("Redis does not answer; ask again.", headers={"Retry-After": "2"})
    if isinstance(exc, RequestDataTooBig):
        return TooLarge("The body is larger than this server accepts (setting AFLOW_MAX_BODY_BYTES).")
    if isinstance(exc, exceptions.ValidationError):
        return InvalidInput("Some fields are not valid.", faults=_faults(exc.detail))
    if isinstance(exc, exceptions.APIException):
        error = _FromFramework(str(exc.detail))
        error.status = exc.status_code
        error.code = str(exc.default_code)
        error.title = HTTPStatus(exc.status_code).phrase
        return error
    return None


def _faults(detail: Any, path: str = "") -> list[Fault]:
    """Flattens the framework's nested error details into faults with JSON paths."""
    if isinstance(detail, dict):
        found = []
        for key, value in detail.items():
            if isinstance(key, int):  # of a list
                child = f"{path}[{key}]"
            else:
                child = path if key == "non_field_errors" else f"{path}.{key}".lstrip(".")
            found += _faults(value, child)
        return found
    if isinstance(detail, list):
        found = []
        for index, value in enumerate(detail):
            nested = isinstance(value, dict | list)
            found += _faults(value, f"{path}[{index}]" if nested else path)
        return found
    return [Fault(path=path or "$", message=str(detail))]
