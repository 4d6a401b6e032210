"""`/agent/{id}/…`: anything of HTTP to a deployed agent, through us. Who asks is checked as everywhere; the
agent gets a token of its own instead of the client's.

The body is stored up to the setting, and what is longer passes through; the answer passes as it comes.
An agent's page is shown in a sandbox of the browser, since it comes from our own origin.
Does not: relay websockets (`consumers.proxy` does).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from urllib.parse import quote

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.request import Request

from aflow_site.api.problems import plain_problem
from aflow_site.kernel.errors import FlowError, InvalidInput, NotAllowed, NotAuthenticated
from pools.api.answers import accepted, dress, wants_later, wants_replay
from pools.domain.headers import to_agent
from pools.facade import agents
from pools.facade.agent_contracts import Accepted, Arrival, Reply
from teams.api.authentication import SessionAuthentication, TokenAuthentication
from teams.facade.contracts import Role, TeamContext

log = logging.getLogger(__name__)
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
PIECE = 64 * 1024
LONGEST_PATH = 8192


@csrf_exempt  # sessions are checked for the token by their own way to sign in
async def proxy(request: HttpRequest, ref: str, path: str | None) -> HttpResponseBase:
    try:
        team: TeamContext = await sync_to_async(_who)(request)
        replayed = wants_replay(request.headers)
        if replayed is not None:
            answer = await agents.replay(team.id, ref, replayed)
        else:
            answer = await _forwarded(request, team, ref)
    except FlowError as exc:
        response: HttpResponse = plain_problem(exc)
        for name, value in exc.headers.items():
            response[name] = value
        return response
    if isinstance(answer, Accepted):
        return accepted(ref, answer)
    return _streamed(answer)


def _who(request: HttpRequest) -> TeamContext:
    """Raises `NotAuthenticated`, `NotAllowed`."""
    wrapped = Request(request)
    for way in (TokenAuthentication(), SessionAuthentication()):
        if way.authenticate(wrapped) is not None:
            break
    else:
        raise NotAuthenticated("Send `Authorization: Token …`, or log in.")
    team: TeamContext = wrapped.team  # type: ignore[attr-defined]
    needed = Role.VIEWER if request.method in SAFE_METHODS else Role.EDITOR
    if not team.role.includes(needed):
        raise NotAllowed(f"This needs the role {needed.value} in {team.name}; yours is {team.role.value}.")
    return team


async def _forwarded(request: HttpRequest, team: TeamContext, ref: str) -> Reply | Accepted:
    path = _path_of(request, ref)
    limit = settings.AFLOW_REQUEST_BYTES
    read = sync_to_async(request.read, thread_sensitive=False)
    first: bytes = await read(limit + 1)
    whole = len(first) <= limit
    headers = to_agent(request.headers.items())
    length = request.headers.get("Content-Length")
    if not whole and length:
        headers.append(("Content-Length", length))

    async def rest() -> AsyncIterator[bytes]:
        while piece := await read(PIECE):
            yield piece

    arrival = Arrival(request.method or "GET", path, headers, first, team.username, whole)
    return await agents.forward(
        team.id, ref, arrival, rest=None if whole else rest(), later=wants_later(request.headers)
    )


def _path_of(request: HttpRequest, ref: str) -> str:
    """The address inside the agent, as the client wrote it."""
    raw = getattr(request, "scope", {}).get("raw_path")
    text = raw.decode("latin-1").partition("?")[0] if raw else quote(request.path, safe="/:@!$&'()*+,;=~-._")
    inside = "/" + text.removeprefix("/agent/").partition("/")[2]
    query = request.META.get("QUERY_STRING", "")
    whole = f"{inside}?{query}" if query else inside
    if len(whole) > LONGEST_PATH or not whole.isascii() or any(ord(char) < 33 for char in whole):
        raise InvalidInput(f"The address is longer than {LONGEST_PATH} characters, or not escaped.")
    return whole


def _streamed(answer: Reply) -> StreamingHttpResponse:
    response = StreamingHttpResponse(_Pieces(answer), status=answer.status)
    dress(response, answer.request_id, answer.headers)
    return response


class _Pieces:
    """The answer's body; `close` is called when the client has gone, too."""

    def __init__(self, answer: Reply) -> None:
        self._body = answer.body
        self._id = answer.request_id

    def __aiter__(self) -> _Pieces:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._body)

    def close(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._body.close()  # type: ignore[attr-defined]
