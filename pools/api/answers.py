"""The answer to a request that was forwarded to a deployed agent, or stored for later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.http import HttpResponse, HttpResponseBase, JsonResponse

from pools.domain.headers import REPLAY, REQUEST_ID
from pools.facade.agent_contracts import Accepted

__all__ = ["REPLAY", "REQUEST_ID", "accepted", "dress", "wants_later", "wants_replay"]


def accepted(ref: str, answer: Accepted) -> HttpResponse:
    url = f"/api/v1/agents/{ref}/requests/{answer.request_id}/"
    body = {
        "request_id": str(answer.request_id),
        "state": "pending",
        "detail": answer.sentence,
        "url": url,
    }
    return JsonResponse(body, status=202, headers={REQUEST_ID: str(answer.request_id), "Location": url})


def dress(response: HttpResponseBase, request_id: object, headers: Iterable[tuple[str, str]]) -> None:
    """Puts the agent's headers on; those that come more than once are one list."""
    joined: dict[str, list[str]] = {}
    for name, value in headers:
        joined.setdefault(name.title(), []).append(value)
    for name, values in joined.items():
        response[name] = ", ".join(values)
    response[REQUEST_ID] = str(request_id)


def wants_replay(headers: Mapping[str, str]) -> str | None:
    """The id of the stored request that is to be sent again."""
    if headers.get(REPLAY, "").lower() not in ("true", "1"):
        return None
    return headers.get(REQUEST_ID, "")


def wants_later(headers: Mapping[str, str]) -> bool:
    """RFC 7240, section 4.1."""
    return "respond-async" in headers.get("Prefer", "").lower()
