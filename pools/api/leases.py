"""Leases over HTTP: any program can borrow a warm agent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aflow_site.api.delivery import hang_up_of, unless_delivered
from aflow_site.api.serializers import Strict
from pools.facade import api as pools
from pools.facade import leases
from pools.facade.contracts import Code, Command, Invocation, LeaseOutcome

LONGEST_WAIT, LONGEST_TTL, LONGEST_CALL = 60.0, 3600.0, 300.0  # seconds
MOST_CODE = 1_000_000  # characters
MOST_WORDS, LONGEST_WORD = 1000, 100_000  # of a command


class LeaseWishSerializer(Strict):
    timeout = serializers.FloatField(
        default=10.0, min_value=0, max_value=LONGEST_WAIT, help_text="Seconds to wait for an agent"
    )
    ttl = serializers.FloatField(
        default=30.0, min_value=1, max_value=LONGEST_TTL, help_text="Seconds that the lease lasts unless kept"
    )
    priority = serializers.IntegerField(default=0, min_value=-100, max_value=100)


class LeaseSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="Whoever has it has the agent")
    pool = serializers.CharField()
    agent = serializers.UUIDField()
    address = serializers.CharField(help_text="host:port, in reach of the platform's own machines")
    fence = serializers.IntegerField()
    expires_at = serializers.DateTimeField()
    uses_left = serializers.IntegerField(help_text="Requests before the agent is replaced")


class LeaseListItemSerializer(serializers.Serializer[Any]):
    pool = serializers.CharField()
    agent = serializers.UUIDField(source="agent_id")
    holder = serializers.CharField(help_text="A run's attempt, or api/… for programs outside")
    fence = serializers.IntegerField()
    expires_at = serializers.DateTimeField()


class LeaseListSerializer(serializers.Serializer[Any]):
    results = LeaseListItemSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class KeptSerializer(serializers.Serializer[Any]):
    expires_at = serializers.DateTimeField()


class OutcomeSerializer(Strict):
    outcome = serializers.ChoiceField(
        choices=[outcome.value for outcome in LeaseOutcome],
        default=LeaseOutcome.OK.value,
        help_text="poison: the agent is not to be used again",
    )


class CallSerializer(Strict):
    input = serializers.JSONField(default=None, allow_null=True)
    code = serializers.CharField(
        required=False, max_length=MOST_CODE, help_text="Python with a `main`, for the built-in agent"
    )
    command = serializers.ListField(
        required=False,
        child=serializers.CharField(max_length=LONGEST_WORD, allow_blank=True, trim_whitespace=False),
        min_length=1,
        max_length=MOST_WORDS,
        help_text="A program of the image and its arguments, for agents that run commands",
    )
    timeout = serializers.FloatField(default=30.0, min_value=0.1, max_value=LONGEST_CALL)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("code") and "command" in attrs:
            raise serializers.ValidationError({"command": "Give code or a command, not both."})
        return attrs


class CallErrorSerializer(serializers.Serializer[Any]):
    type = serializers.CharField()
    message = serializers.CharField()
    traceback = serializers.CharField(allow_null=True)


class AnswerSerializer(serializers.Serializer[Any]):
    output = serializers.JSONField(allow_null=True)
    error = CallErrorSerializer(allow_null=True)


def _runs(asked: Mapping[str, Any]) -> Code | Command | None:
    source = asked.get("code")
    if source:
        return Code(hashlib.sha256(source.encode()).hexdigest(), source)
    return Command(tuple(asked["command"])) if "command" in asked else None


def _team(request: Request) -> int:
    team_id: int = request.team.id  # type: ignore[attr-defined]
    return team_id


class PoolLeasesView(APIView):
    required_roles = {"POST": "operator"}

    @extend_schema(
        operation_id="pools_lease",
        request=LeaseWishSerializer,
        responses={201: LeaseSerializer},
        parameters=[OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)],
    )
    def post(self, request: Request, name: str) -> Response:
        """Borrows a warm agent, waiting for up to `timeout` seconds; 503 with Retry-After when none came.

        The same Idempotency-Key gets the same lease again. Keep it with `heartbeat`, or it ends after `ttl`.
        Whoever hangs up before the answer gets none.
        """
        body = LeaseWishSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked, key = body.validated_data, request.headers.get("Idempotency-Key")
        wish = leases.Wish(
            wait=asked["timeout"],
            ttl=asked["ttl"],
            priority=asked["priority"],
            key=hashlib.sha256(key.encode()).hexdigest() if key else None,
        )
        loan = leases.borrow(_team(request), name, wish, hang_up_of(request._request))
        unless_delivered(request._request, lambda: leases.put_back(loan))
        lease = loan.lease
        shown = {
            "token": lease.token,
            "pool": name,
            "agent": lease.agent_id,
            "address": lease.address,
            "fence": lease.fence,
            "expires_at": lease.expires_at,
            "uses_left": lease.uses_left,
        }
        return Response(LeaseSerializer(shown).data, status=201)


class LeaseListView(APIView):
    @extend_schema(
        operation_id="leases_list",
        parameters=[OpenApiParameter("pool", str)],
        responses=LeaseListSerializer,
    )
    def get(self, request: Request) -> Response:
        """The team's live leases, those to expire first at the top. Their tokens are not told."""
        pool = request.query_params.get("pool") or None
        if pool is not None:
            pools.get_pool(_team(request), pool)
        found = leases.list_leases(_team(request), pool)
        return Response(
            {"results": LeaseListItemSerializer(found, many=True).data, "next": None, "previous": None}
        )


class LeaseView(APIView):
    required_roles = {"DELETE": "operator"}

    @extend_schema(operation_id="leases_release", request=OutcomeSerializer, responses={204: None})
    def delete(self, request: Request, token: str) -> Response:
        """Gives the agent back. 404 when the lease had ended before: its results must not be used."""
        body = OutcomeSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        leases.give_back(_team(request), token, LeaseOutcome(body.validated_data["outcome"]))
        return Response(status=204)


class HeartbeatView(APIView):
    required_roles = {"POST": "operator"}

    @extend_schema(operation_id="leases_heartbeat", request=None, responses=KeptSerializer)
    def post(self, request: Request, token: str) -> Response:
        """Keeps the lease for another `ttl` seconds. 404 when it has ended."""
        return Response(KeptSerializer({"expires_at": leases.keep(_team(request), token)}).data)


class InvokeView(APIView):
    required_roles = {"POST": "operator"}

    @extend_schema(operation_id="leases_invoke", request=CallSerializer, responses=AnswerSerializer)
    def post(self, request: Request, token: str) -> Response:
        """Sends `input` to the leased agent. What its body raised is the answer's `error`; 502 when the agent
        died and 504 when it took too long: the lease is over then."""
        body = CallSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked = body.validated_data
        invocation = Invocation(
            inputs=(asked["input"],), batch=False, runs=_runs(asked), context={}, timeout=asked["timeout"]
        )
        (result,) = leases.ask(_team(request), token, invocation, hang_up_of(request._request)).results
        error = result.error.as_dict() if result.error is not None else None
        return Response({"output": result.output, "error": error})
