"""Members of teams, and their way to the API."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.test import Client

from pools.facade import api as pools
from teams.facade import api as teams
from teams.facade.contracts import Role
from teams.models import Membership, Team


class Api:
    """A client with a token. `name` and `team` tell whose it is."""

    def __init__(self, token: str | None, *, name: str = "", team: Team | None = None) -> None:
        self._client = Client()
        self._headers = {"Authorization": f"Token {token}"} if token else {}
        self.name = name
        self._team = team

    @property
    def team(self) -> Team:
        assert self._team is not None
        return self._team

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """`path` is below /api/v1/; a body of bytes goes as it is. `If_Match="…"` sends that header."""
        content_type = headers.pop("content_type", "application/json")
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._client.generic(
            method, f"/api/v1/{path}", data, content_type=content_type, headers={**self._headers, **names}
        )


def member(role: Role, team_slug: str = "team", *, name: str | None = None, staff: bool = False) -> Api:
    """A new member of the team, which is made (with its Python pool) when it is not there. `staff`: of the
    platform."""
    team, _ = Team.objects.get_or_create(slug=team_slug, defaults={"name": team_slug.title()})
    user = get_user_model().objects.create_user(name or f"{role}-{uuid4().hex[:6]}", is_staff=staff)
    Membership.objects.create(team=team, user=user, role=role)
    pools.ensure_default_pool(team.pk)
    token = teams.issue_token(team_id=team.pk, user_id=user.pk, role=role, name="test")
    return Api(token, name=user.get_username(), team=team)


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """The body of the answer, which is this problem."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail", "code", "errors"} <= body.keys()
    assert (body["status"], body["code"]) == (status, code)
    assert body["detail"]
    return body
