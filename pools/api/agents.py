"""Agents over HTTP, pooled and deployed: parse, call one function, render."""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aflow_site.api.pagination import CursorPagination
from aflow_site.api.parsers import DOCUMENT_PARSERS, read_yaml
from aflow_site.api.query import choice, whole_number
from aflow_site.kernel.errors import InvalidInput, NotFound
from pools.api.agent_serializers import (
    AcceptedSerializer,
    AgentListSerializer,
    AgentRequestDetailSerializer,
    AgentRequestSerializer,
    DeployedAgentSerializer,
    DeployedListSerializer,
    LogSerializer,
    UsageSerializer,
)
from pools.api.answers import accepted, dress, wants_later, wants_replay
from pools.api.serializers import KINDS, STATES
from pools.domain.agents import PublicState
from pools.domain.requests import RequestState
from pools.facade import agents
from pools.facade import api as pools
from pools.facade.agent_contracts import Accepted, DeployedView, Reply
from pools.selectors.deployments import deployed_payload, request_detail_payload, request_payload
from pools.selectors.views import agent_payload
from teams.facade.contracts import Role, TeamContext

OPERATORS = {"POST": "operator", "PATCH": "operator", "DELETE": "operator"}
REPLACE = OpenApiParameter("replace", bool, description="Bring those that exist to the new definition")
MOST_LINES = 10_000


def _team(request: Request) -> TeamContext:
    team: TeamContext = request.team  # type: ignore[attr-defined]
    return team


def _shown(request: Request, view: DeployedView) -> dict[str, Any]:
    return deployed_payload(view, values=_team(request).role.includes(Role.OPERATOR))


def _flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() in ("true", "1")


class AgentListView(APIView):
    required_roles = OPERATORS
    parser_classes = DOCUMENT_PARSERS

    @extend_schema(
        operation_id="agents_list",
        parameters=[
            OpenApiParameter("kind", str, enum=KINDS),
            OpenApiParameter("pool", str),
            OpenApiParameter("state", str, description="One or more, by commas"),
        ],
        responses=AgentListSerializer,
    )
    def get(self, request: Request) -> Response:
        """Live agents, the newest first; pooled ones that ended with `?state=terminated`. One page."""
        wanted = {part for part in request.query_params.get("state", "").split(",") if part}
        if wanted - set(STATES):
            raise InvalidInput(f"{min(wanted - set(STATES))} is not a state; use {', '.join(STATES)}.")
        kind, pool = choice(request, "kind", KINDS), request.query_params.get("pool") or None
        found: list[dict[str, Any]] = []
        if kind != "pooled" and pool is None:
            found += [_shown(request, view) for view in agents.list_deployed(_team(request).id)]
        if kind != "deployed":
            ended = PublicState.TERMINATED.value in wanted
            views = pools.list_agents(_team(request).id, pool=pool, include_terminated=ended)
            found += [agent_payload(view) for view in views]
        results = [agent for agent in found if not wanted or agent["state"] in wanted]
        return Response({"results": results, "next": None, "previous": None})

    @extend_schema(
        operation_id="agents_deploy",
        parameters=[REPLACE],
        request=OpenApiTypes.OBJECT,
        responses={201: DeployedListSerializer},
    )
    def post(self, request: Request) -> Response:
        """Deploys agents: one as an object (`name`, `image`, `env`, `resources`, …), a document with `kind:
        AgentDeployment` (JSON or YAML), or `{"document": the document or its YAML text, "variables": {…}}`.

        All of them or none; every fault at once. 409 when a name is taken, unless `?replace=true`.
        """
        document, variables = _unpacked(request.data)
        team = _team(request)
        made = agents.deploy(
            team.id, document, author=team.username, variables=variables, replace=_flag(request, "replace")
        )
        return Response({"results": [_shown(request, view) for view in made]}, status=201)


def _unpacked(body: Any) -> tuple[Any, dict[str, str]]:
    """A document, and the values of its variables."""
    if not isinstance(body, dict) or "document" not in body:
        return body, {}
    variables = body.get("variables", {})
    if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
        raise InvalidInput("`variables` is an object of texts.")
    document = body["document"]
    return (read_yaml(document) if isinstance(document, str) else document), variables


class AgentView(APIView):
    required_roles = OPERATORS

    @extend_schema(operation_id="agents_get", responses=DeployedAgentSerializer)
    def get(self, request: Request, ref: str) -> Response:
        """An agent of either kind by its id, or a deployed one by its name."""
        with contextlib.suppress(NotFound):
            return Response(_shown(request, agents.get_deployed(_team(request).id, ref)))
        try:
            return Response(agent_payload(pools.get_agent(_team(request).id, UUID(ref))))
        except ValueError:
            raise NotFound(f"There is no agent {ref[:80]} in this team.") from None

    @extend_schema(
        operation_id="agents_change", request=OpenApiTypes.OBJECT, responses=DeployedAgentSerializer
    )
    def patch(self, request: Request, ref: str) -> Response:
        """Sets the fields that are given. What its container is made of (image, env, resources, …) replaces
        the container; requests wait meanwhile."""
        if not isinstance(request.data, dict):
            raise InvalidInput("Send an object with the fields to change.")
        team = _team(request)
        return Response(_shown(request, agents.change(team.id, ref, request.data, author=team.username)))

    @extend_schema(
        operation_id="agents_remove",
        parameters=[OpenApiParameter("volumes", bool, description="Its named volumes, too")],
        responses={204: None},
    )
    def delete(self, request: Request, ref: str) -> Response:
        """Ends it, and forgets it with its requests. Its volumes stay unless `?volumes=true`."""
        team = _team(request)
        agents.remove(team.id, ref, author=team.username, volumes=_flag(request, "volumes"))
        return Response(status=204)


class AgentActionView(APIView):
    required_roles = OPERATORS
    verb = ""

    @extend_schema(request=None, responses={202: DeployedAgentSerializer})
    def post(self, request: Request, ref: str) -> Response:
        """Says what is wanted of a deployed agent; the controller makes it so."""
        team = _team(request)
        view = agents.act(team.id, ref, self.verb, author=team.username)
        return Response(_shown(request, view), status=202)


class AgentLogView(APIView):
    @extend_schema(
        operation_id="agents_logs",
        parameters=[OpenApiParameter("tail", int), OpenApiParameter("follow", bool)],
        responses=LogSerializer,
    )
    def get(self, request: Request, ref: str) -> HttpResponseBase:
        """The last lines of a deployed agent's log. With `?follow=true` as plain text that goes on until the
        agent ends; `/ws/agents/{id}/logs/` does that over a websocket, and goes on after a restart."""
        tail = whole_number(request, "tail", low=1, high=MOST_LINES) or 100
        if _flag(request, "follow"):
            agents.get_deployed(_team(request).id, ref)
            lines = agents.follow(_team(request).id, ref, tail)
            return StreamingHttpResponse(lines, content_type="text/plain; charset=utf-8")
        text: str = async_to_sync(agents.logs)(_team(request).id, ref, tail)
        return Response({"lines": text.splitlines()})


class AgentUsageView(APIView):
    @extend_schema(operation_id="agents_metrics", responses=UsageSerializer)
    def get(self, request: Request, ref: str) -> Response:
        """What a deployed agent uses now; `/ws/agents/{id}/metrics/` tells it every second."""
        usage = async_to_sync(agents.usage_now)(_team(request).id, ref)
        return Response({"running": usage is not None, **(usage.as_dict() if usage else {})})


class AgentInvokeView(APIView):
    """`POST …/invoke`, with or without a slash behind it."""

    required_roles = {"POST": "editor"}

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: OpenApiTypes.OBJECT, 202: AcceptedSerializer})
    def post(self, request: Request, ref: str) -> HttpResponse:
        """Asks a deployed agent: `{"input": …}`, and its answer as it gives it. With `code` (Python with a
        `main`) the built-in agent runs that.

        Stored before it is sent. When the agent is down, or `Prefer: respond-async` says so: 202 with
        `request_id`; it is delivered when the agent is back. `X-Agentainer-Request-ID` with
        `X-Agentainer-Replay: true` sends a stored request again.
        """
        team = _team(request)
        wanted = wants_replay(request.headers)
        answer, body = async_to_sync(_asked)(
            team, ref, request.data, wanted, later=wants_later(request.headers)
        )
        return _rendered(ref, answer, body)


async def _asked(
    team: TeamContext, ref: str, data: Any, replayed: str | None, *, later: bool = False
) -> tuple[Reply | Accepted, bytes]:
    if replayed is not None:
        answer = await agents.replay(team.id, ref, replayed)
    else:
        answer = await agents.invoke(team.id, ref, data, author=team.username, later=later)
    return answer, b"" if isinstance(answer, Accepted) else await agents.whole(answer)


def _rendered(ref: str, answer: Reply | Accepted, body: bytes) -> HttpResponse:
    if isinstance(answer, Accepted):
        return accepted(ref, answer)
    response = HttpResponse(body, status=answer.status)
    dress(response, answer.request_id, answer.headers)
    return response


class RequestPages(CursorPagination):
    ordering = ("-number",)


class AgentRequestListView(APIView):
    @extend_schema(
        operation_id="agents_requests",
        parameters=[OpenApiParameter("state", str, enum=[state.value for state in RequestState])],
        responses=AgentRequestSerializer(many=True),
    )
    def get(self, request: Request, ref: str) -> Response:
        """The requests to a deployed agent, the newest first."""
        state = choice(request, "state", [state.value for state in RequestState])
        pages = RequestPages()
        rows = agents.requests_of(_team(request).id, ref, state)
        page = pages.paginate_queryset(rows, request, self) or []
        return pages.get_paginated_response([request_payload(agents.request_view(row)) for row in page])


class AgentRequestView(APIView):
    @extend_schema(operation_id="agents_request", responses=AgentRequestDetailSerializer)
    def get(self, request: Request, ref: str, request_id: str) -> Response:
        """One request with what was stored of it and of its answer."""
        return Response(request_detail_payload(agents.get_request(_team(request).id, ref, request_id)))


class AgentReplayView(APIView):
    required_roles = {"POST": "editor"}

    @extend_schema(
        operation_id="agents_replay",
        request=None,
        responses={200: OpenApiTypes.OBJECT, 202: AcceptedSerializer},
    )
    def post(self, request: Request, ref: str, request_id: str) -> HttpResponse:
        """Sends a stored request once more; answers as the agent does, or 202 when it waits. 409 while it
        waits already, or is on its way."""
        answer, body = async_to_sync(_asked)(_team(request), ref, None, request_id)
        return _rendered(ref, answer, body)


class AgentBackupView(APIView):
    required_roles = {"GET": "operator"}

    @extend_schema(operation_id="agents_backup", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Every deployed agent's definition, as one document. Secrets are named, not told."""
        return Response(agents.backup(_team(request).id))


class AgentRestoreView(APIView):
    required_roles = OPERATORS
    parser_classes = DOCUMENT_PARSERS

    @extend_schema(
        operation_id="agents_restore",
        parameters=[REPLACE],
        request=OpenApiTypes.OBJECT,
        responses={201: DeployedListSerializer},
    )
    def post(self, request: Request) -> Response:
        """Deploys what a backup tells, all or nothing."""
        team = _team(request)
        made = agents.restore(team.id, request.data, author=team.username, replace=_flag(request, "replace"))
        return Response({"results": [_shown(request, view) for view in made]}, status=201)
