"""A crew of deployed agents: this site's API and the controller's loops, around a real runtime."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from channels.db import database_sync_to_async
from django.contrib.auth import get_user_model
from django.db import connections
from django.test import Client

from pools.facade import agents
from pools.models import AgentRequest, DeployedAgent
from pools.runtime.base import Runtime
from pools.runtime.deployed import deployed_agents_of
from teams.domain.roles import Role
from teams.facade import api as teams
from teams.models import Membership, Team

SQUARE = "def main(x):\n    return x * x\n"


class Person:
    """Speaks HTTP for one member of a team."""

    def __init__(self, team: Team, role: Role = Role.OPERATOR) -> None:
        user = get_user_model().objects.create(username=f"{role.value}-{team.slug}")
        Membership.objects.create(team=team, user=user, role=role)
        self.team = team
        self.token = teams.issue_token(team_id=team.pk, user_id=user.pk, role=role, name="test")
        self._client = Client(headers={"Authorization": f"Token {self.token}"})

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Django's response; `path` is under the API, unless it begins with a slash."""
        content = body if isinstance(body, str | bytes) else "" if body is None else json.dumps(body)
        address = path if path.startswith("/") else f"/api/v1/{path}"
        return self._client.generic(method, address, content, content_type=content_type, headers=headers)

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        answer = self.ask(method, path, body, **options)
        content = answer.getvalue()
        return answer.status_code, json.loads(content) if content else None

    async def soon(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        """The same from a loop."""
        return await asyncio.to_thread(alone, self, method, path, body, **options)


def alone(work: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """In a thread that takes its database connection with it: Django's test client leaves it open."""
    try:
        return work(*args, **options)
    finally:
        connections.close_all()


async def always() -> bool:
    return True


@contextlib.asynccontextmanager
async def controlling(runtime: Runtime) -> AsyncIterator[None]:
    """The loops that the controller runs; agents stay when they end."""
    loops = agents.loops_beside(runtime, always)
    tasks = [asyncio.ensure_future(loop()) for loop in loops.values()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


async def end_everyone(runtime: Runtime) -> None:
    deployed = deployed_agents_of(runtime)
    for handle in await deployed.list_deployed():
        await deployed.remove(handle.agent_id)


@database_sync_to_async
def row_of(name: str) -> DeployedAgent:
    return DeployedAgent.objects.get(name=name)


async def is_(name: str, state: str, health: str | None = None) -> bool:
    row = await row_of(name)
    return row.state == state and (health is None or row.health == health)


@database_sync_to_async
def request_row(request_id: str) -> AgentRequest:
    return AgentRequest.objects.get(id=request_id)
