"""Nodes over HTTP: parse, call one function, render.

Nodes belong to the platform, not to a team, and carry the agents of all: every member sees them. The
platform's staff alone act on them, as admins of the team in whose audit log it is written.
"""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from pools.api.serializers import NodeListSerializer, NodeSerializer, NoticeSerializer
from pools.domain.nodes import NodeAction
from pools.facade import api as pools
from pools.facade import nodes as doors
from pools.selectors.nodes import node_payload
from teams.facade.contracts import TeamContext


class NodeListView(APIView):
    @extend_schema(operation_id="nodes_list", responses=NodeListSerializer)
    def get(self, request: Request) -> Response:
        """The engine's machines by name. One page: there are few."""
        found = [node_payload(view) for view in pools.list_nodes()]
        return Response({"results": found, "next": None, "previous": None})


class NodeView(APIView):
    @extend_schema(operation_id="nodes_get", responses=NodeSerializer)
    def get(self, request: Request, name: str) -> Response:
        return Response(node_payload(pools.get_node(name)))


class _Action(APIView):
    required_roles = {"POST": "admin"}
    staff_only = frozenset({"POST"})

    def act(self, request: Request, name: str, action: NodeAction) -> Response:
        team: TeamContext = request.team  # type: ignore[attr-defined]
        return Response(node_payload(pools.act_on_node(team.id, name, action, author=team.username)))


class InterruptView(_Action):
    @extend_schema(operation_id="nodes_interrupt", request=NoticeSerializer, responses=NodeSerializer)
    def post(self, request: Request, name: str) -> Response:
        """The machine is taken away (in two minutes, unless a time is told): its agents leave until then, and
        what is at work in the last moments begins elsewhere."""
        team: TeamContext = request.team  # type: ignore[attr-defined]
        notice = NoticeSerializer(data=request.data)
        notice.is_valid(raise_exception=True)
        told = doors.interrupt_node(team.id, name, notice.validated_data, author=team.username)
        return Response(node_payload(told))


class CordonView(_Action):
    @extend_schema(operation_id="nodes_cordon", request=None, responses=NodeSerializer)
    def post(self, request: Request, name: str) -> Response:
        """No new agents there; what runs goes on. Ends a drain that is under way."""
        return self.act(request, name, NodeAction.CORDON)


class UncordonView(_Action):
    @extend_schema(operation_id="nodes_uncordon", request=None, responses=NodeSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Takes new agents again; ends a drain, too."""
        return self.act(request, name, NodeAction.UNCORDON)


class DrainView(_Action):
    @extend_schema(operation_id="nodes_drain", request=None, responses=NodeSerializer)
    def post(self, request: Request, name: str) -> Response:
        """No new agents there, and those that are there leave: idle ones as their replacements become ready,
        those at work after their lease. The engine drains the rest when the last one has left."""
        return self.act(request, name, NodeAction.DRAIN)
