"""Node groups, what nodes cost, and what rented machines say, over HTTP: parse, call one function, render.

Groups are for the platform's staff alone, seen and changed: machines are paid for by all. Rented machines
come with a token of their own, which is good for nothing else.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aflow_site.api.pagination import CursorPagination
from pools.api.node_group_serializers import (
    GroupDecisionSerializer,
    GroupFieldsSerializer,
    GroupListSerializer,
    GroupSerializer,
    InvitationSerializer,
    JoinedSerializer,
    NewGroupSerializer,
    NodeCostsSerializer,
    NoticeTakenSerializer,
)
from pools.api.serializers import NoticeSerializer
from pools.facade import nodes as door
from pools.selectors.node_groups import decision_payload, group_payload
from pools.selectors.nodes import costs_payload
from teams.facade.contracts import TeamContext


def read(form: type[Any], request: Request) -> dict[str, Any]:
    """The body by that form. Raises the framework's fault."""
    body = form(data=request.data)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


class _ForStaff(APIView):
    required_roles = dict.fromkeys(("GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE"), "admin")
    staff_only = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE"})

    @property
    def team(self) -> TeamContext:
        return self.request.team  # type: ignore[attr-defined]


class GroupListView(_ForStaff):
    @extend_schema(operation_id="node_groups_list", responses=GroupListSerializer)
    def get(self, request: Request) -> Response:
        """By name, with their machines; and why no more can be made. One page: there are few."""
        found = [group_payload(view) for view in door.list_groups()]
        return Response({"results": found, "next": None, "previous": None, "problem": door.no_groups()})

    @extend_schema(
        operation_id="node_groups_create", request=NewGroupSerializer, responses={201: GroupSerializer}
    )
    def post(self, request: Request) -> Response:
        """Machines are rented as agents need them, between `min` and `max`."""
        data = read(NewGroupSerializer, request)
        made = door.create_group(self.team.id, data, author=self.team.username)
        return Response(group_payload(made), status=201)


class GroupView(_ForStaff):
    @extend_schema(operation_id="node_groups_get", responses=GroupSerializer)
    def get(self, request: Request, name: str) -> Response:
        return Response(group_payload(door.get_group(name)))

    @extend_schema(
        operation_id="node_groups_change", request=GroupFieldsSerializer, responses=GroupSerializer
    )
    def patch(self, request: Request, name: str) -> Response:
        """What is not named stays; a template and instance types are taken as a whole, for machines from now
        on."""
        data = read(GroupFieldsSerializer, request)
        return Response(group_payload(door.change_group(self.team.id, name, data, author=self.team.username)))

    @extend_schema(operation_id="node_groups_delete", responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        """Its machines take no more agents, and go when the last one has left."""
        door.delete_group(self.team.id, name, author=self.team.username)
        return Response(status=204)


class _Decisions(CursorPagination):
    ordering = ("-at", "-id")


class GroupDecisionListView(_ForStaff):
    @extend_schema(operation_id="node_groups_decisions", responses=GroupDecisionSerializer(many=True))
    def get(self, request: Request, name: str) -> Response:
        """The newest first: what was done and why; nothing is written while nothing changes."""
        pages = _Decisions()
        page = pages.paginate_queryset(door.group_decisions(name), request, view=self)
        return Response(pages.get_paginated_response([decision_payload(row) for row in page]).data)


class NodeCostsView(APIView):
    @extend_schema(operation_id="nodes_costs", responses=NodeCostsSerializer)
    def get(self, request: Request) -> Response:
        """What all nodes cost per hour, what of that no agent has, and what spot capacity saves."""
        return Response(costs_payload(door.node_costs()))


class _ForMachines(APIView):
    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        door.known_machine(self.token(request))  # before anything is said of the body

    def token(self, request: Request) -> str:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


class JoinView(_ForMachines):
    @extend_schema(operation_id="machines_join", request=None, responses=InvitationSerializer)
    def post(self, request: Request) -> Response:
        """For a rented machine: where it joins the engine, and the secret that lets it."""
        found = door.invitation(self.token(request))
        return Response({"address": found.address, "token": found.token})


class JoinedView(_ForMachines):
    @extend_schema(operation_id="machines_joined", request=JoinedSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """For a rented machine: which node of the engine it is."""
        door.machine_joined(self.token(request), read(JoinedSerializer, request)["node"])
        return Response(status=204)


class NoticeView(_ForMachines):
    @extend_schema(operation_id="machines_notice", request=NoticeSerializer, responses=NoticeTakenSerializer)
    def post(self, request: Request) -> Response:
        """For a rented machine: it is taken away. Its agents leave, and their work begins elsewhere."""
        leave_by = door.machine_notice(self.token(request), read(NoticeSerializer, request))
        return Response({"leave_by": leave_by.isoformat()})
