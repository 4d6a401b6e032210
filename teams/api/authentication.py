"""Who asks: a token (for programs) or a session (for browsers). Both set `request.team`."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.request import Request

from aflow_site.kernel.errors import NotAllowed, NotAuthenticated
from teams.facade import api as teams
from teams.facade.contracts import TeamContext, Via


@dataclass(frozen=True, slots=True)
class TokenUser:
    """Stands where Django's user stands when a token asked."""

    id: int
    username: str
    is_authenticated: bool = True

    @property
    def pk(self) -> int:
        return self.id


def _bind(request: Request, context: TeamContext, via: Via) -> None:
    teams.came_by(via)
    request._request.team = context  # type: ignore[attr-defined]
    request.team = context  # type: ignore[attr-defined]


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Token …` or `Authorization: Bearer …`."""

    def authenticate(self, request: Request) -> tuple[TokenUser, str] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() not in ("token", "bearer"):
            return None
        context = teams.by_token(token.strip())
        if context is None:
            raise NotAuthenticated("This token is not known, or its owner has left the team.")
        _bind(request, context, Via.TOKEN)
        return TokenUser(context.user_id, context.username), "token"

    def authenticate_header(self, request: Request) -> str:
        return "Token"


class SessionAuthentication(BaseAuthentication):
    """The browser's session; unsafe methods need the CSRF token. `X-Team` names the team."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, None] | None:
        user = getattr(request._request, "user", None)
        if user is None or not user.is_authenticated or not user.is_active:
            return None
        self._check_csrf(request)
        context = teams.by_session(user.pk, user.get_username(), request.headers.get("X-Team"))
        if context is None:
            raise NotAllowed("You are not a member of that team; ask one of its admins to add you.")
        _bind(request, context, Via.SESSION)
        return user, None

    def _check_csrf(self, request: Request) -> None:
        check = CSRFCheck(lambda _request: None)  # type: ignore[arg-type]
        check.process_request(request._request)
        reason = check.process_view(request._request, None, (), {})  # type: ignore[arg-type]
        if reason:
            raise NotAllowed(f"The CSRF token is missing or wrong ({reason}). Reload the page.")
