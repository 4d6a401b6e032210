"""Reads about deployed agents and requests to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import orjson
from django.db.models import Count, QuerySet

from pools.domain.requests import RequestState
from pools.facade.agent_contracts import DeployedView, RequestDetail, RequestView
from pools.models import AgentRequest, DeployedAgent
from pools.runtime.base import BUILT_IN_IMAGE


def definition_of(row: DeployedAgent) -> dict[str, Any]:
    """The form that deploys such an agent; values of secrets are not in it, their names are."""
    return {
        "name": row.name,
        "image": None if row.image == BUILT_IN_IMAGE else row.image,
        "port": row.port,
        "env": row.env,
        "resources": {"cpu": row.cpu, "memory": row.memory},
        "volumes": [_volume(volume) for volume in row.volumes],
        "network": row.network,
        "healthCheck": _health_check(row.health_check),
        "autoRestart": row.auto_restart,
        "state": row.desired,
    }


def _volume(stored: dict[str, Any]) -> dict[str, Any]:
    return {("readOnly" if name == "read_only" else name): value for name, value in stored.items()}


def _health_check(stored: dict[str, Any] | None) -> dict[str, Any] | None:
    if stored is None:
        return None
    return {("startPeriod" if name == "start_period" else name): value for name, value in stored.items()}


def views(rows: Iterable[DeployedAgent]) -> list[DeployedView]:
    agents = list(rows)
    waiting = pending_of(agent.pk for agent in agents)
    return [_view(agent, waiting.get(agent.pk, 0)) for agent in agents]


def pending_of(agent_ids: Iterable[UUID]) -> dict[UUID, int]:
    """How many requests wait, of each agent that has some."""
    found = (
        AgentRequest.objects.filter(agent_id__in=list(agent_ids), state=RequestState.PENDING.value)
        .order_by()
        .values_list("agent_id")
        .annotate(number=Count("pk"))
    )
    return dict(found)


def _view(row: DeployedAgent, pending: int) -> DeployedView:
    return DeployedView(
        id=row.pk,
        team_id=row.team_id,
        name=row.name,
        image=row.image,
        state=row.state,
        desired=row.desired,
        health=row.health,
        problem=row.problem,
        definition=definition_of(row),
        uses=row.uses,
        last_used=row.last_used,
        pending=pending,
        container=row.container,
        node=row.node,
        created_at=row.created_at,
        created_by=row.created_by,
        started_at=row.started_at,
        restarts=row.restarts,
        start_at=row.start_at,
        exit_code=row.exit_code,
        exit_reason=row.exit_reason,
        exited_at=row.exited_at,
    )


def requests_of(agent_id: UUID, state: str | None = None) -> QuerySet[AgentRequest]:
    """Without bodies, which can be large."""
    found = AgentRequest.objects.filter(agent_id=agent_id).select_related("agent")
    if state is not None:
        found = found.filter(state=state)
    return found.defer("body", "response_body", "headers", "response_headers")


def request_view(row: AgentRequest) -> RequestView:
    return RequestView(
        id=row.id,
        agent=row.agent.name,
        method=row.method,
        path=row.path,
        state=row.state,
        reason=row.reason,
        attempts=row.attempts,
        replays=row.replays,
        replayable=row.whole,
        created_by=row.created_by,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        response_status=row.response_status,
        response_size=row.response_size,
    )


def request_detail(row: AgentRequest) -> RequestDetail:
    return RequestDetail(
        summary=request_view(row),
        request_headers=[(name, value) for name, value in row.headers],
        request_body=bytes(row.body),
        response_headers=[(name, value) for name, value in row.response_headers],
        response_body=bytes(row.response_body),
    )


HIDDEN = "•••"


def deployed_payload(view: DeployedView, *, values: bool = True) -> dict[str, Any]:
    """The JSON shape. Without `values` those of variables are hidden: people write keys into them."""
    definition = dict(view.definition)
    if not values:
        definition["env"] = {
            name: value if isinstance(value, dict) else HIDDEN for name, value in definition["env"].items()
        }
    return {
        "id": str(view.id),
        "kind": "deployed",
        "name": view.name,
        "pool": None,
        "image": view.image,
        "state": view.state,
        "desired": view.desired,
        "health": view.health,
        "problem": view.problem,
        "uses": view.uses,
        "last_used": view.last_used,
        "pending": view.pending,
        "container": view.container,
        "node": view.node,
        "started_at": view.started_at,
        "ended_at": None,
        "end_reason": None,
        "restarts": view.restarts,
        "next_start_at": view.start_at,
        "exit_code": view.exit_code,
        "exit_reason": view.exit_reason,
        "exited_at": view.exited_at,
        "created_at": view.created_at,
        "created_by": view.created_by,
        "definition": definition,
    }


def request_payload(view: RequestView) -> dict[str, Any]:
    return {
        "id": str(view.id),
        "agent": view.agent,
        "method": view.method,
        "path": view.path,
        "state": view.state,
        "reason": view.reason,
        "attempts": view.attempts,
        "replays": view.replays,
        "replayable": view.replayable,
        "created_by": view.created_by,
        "created_at": view.created_at,
        "started_at": view.started_at,
        "finished_at": view.finished_at,
        "response_status": view.response_status,
        "response_size": view.response_size,
    }


def request_detail_payload(detail: RequestDetail) -> dict[str, Any]:
    """Bodies as JSON where they are that, else as text, with `?` for what is none."""
    return {
        **request_payload(detail.summary),
        "request_headers": [list(pair) for pair in detail.request_headers],
        "request_body": _readable(detail.request_body),
        "response_headers": [list(pair) for pair in detail.response_headers],
        "response_body": _readable(detail.response_body),
        "response_cut": detail.summary.response_size > len(detail.response_body),
    }


def _readable(body: bytes) -> Any:
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")
