"""Who opens a websocket: a session cookie, `?token=…`, or an `Authorization` header, as for HTTP.

Sets `scope["team"]` to a `TeamContext`, or to None: consumers close with 4401 then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from asgiref.sync import sync_to_async
from channels.auth import AuthMiddlewareStack
from channels.security.websocket import OriginValidator
from django.conf import settings

from teams.facade import api as teams
from teams.facade.contracts import TeamContext

Scope = dict[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


class OurOrigins(OriginValidator):
    """Browsers tell where a page came from, which must be here; programs tell nothing, and have tokens."""

    def __init__(self, app: App) -> None:
        super().__init__(app, [])

    def valid_origin(self, parsed_origin: Any) -> bool:
        self.allowed_origins = settings.ALLOWED_HOSTS
        return parsed_origin is None or self.validate_origin(parsed_origin)


class TeamMiddleware:
    def __init__(self, app: App) -> None:
        self.app = AuthMiddlewareStack(_BindTeam(app))

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


async def nowhere(scope: Scope, receive: Any, send: Any) -> None:
    """For addresses without a consumer: accepted only to be closed with a code that says why."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": 4404})


class _BindTeam:
    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        scope["team"] = await sync_to_async(_team_of)(scope)
        await self.app(scope, receive, send)


def _team_of(scope: Scope) -> TeamContext | None:
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    token = query.get("token", [None])[0] or _header_token(scope)
    if token:
        return teams.by_token(token)
    user = scope.get("user")
    if user is None or not user.is_authenticated or not user.is_active:
        return None
    return teams.by_session(user.pk, user.get_username(), query.get("team", [None])[0])


def _header_token(scope: Scope) -> str | None:
    for name, value in scope.get("headers", []):
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return token.strip() if scheme.lower() in ("token", "bearer") else None
    return None
