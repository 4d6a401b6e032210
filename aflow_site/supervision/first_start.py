"""The team, the administrator, the token and the pool `python`: made on the first start, repaired later."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass

from aflow_site.supervision.layout import Layout, write_private
from pools.facade import api as pools
from teams.facade import api as teams

TEAM_NAME = "Default"
USERNAME = "admin"


@dataclass(frozen=True, slots=True)
class Login:
    username: str
    password: str
    fresh: bool  # made by this start


def ensure(layout: Layout, url: str) -> Login:
    """Keeps the login of earlier starts as long as the database knows its token."""
    known = _read(layout)
    context = teams.by_token(known["token"]) if known else None
    if known is not None and context is not None:
        login = Login(known["username"], known["password"], fresh=False)
        team_id, token = context.id, known["token"]
    else:
        password = known["password"] if known else secrets.token_urlsafe(12)
        made = teams.bootstrap_first_team(team_name=TEAM_NAME, username=USERNAME, password=password)
        login = Login(USERNAME, password, fresh=True)
        team_id, token = made.team_id, made.token
    pools.ensure_default_pool(team_id)
    fresh = {"url": url, "username": login.username, "password": login.password, "token": token}
    if fresh != known:
        write_private(layout.credentials, json.dumps(fresh, indent=2) + "\n")
    return login


def _read(layout: Layout) -> dict[str, str] | None:
    try:
        found: dict[str, str] = json.loads(layout.credentials.read_text())
    except (OSError, ValueError):
        return None
    return found if {"url", "username", "password", "token"} <= found.keys() else None
