from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from teams.facade import api as teams
from teams.facade.contracts import TeamContext


class TeamSerializer(serializers.Serializer):
    slug = serializers.CharField()
    name = serializers.CharField()
    role = serializers.CharField()


class MeSerializer(serializers.Serializer):
    username = serializers.CharField()
    team = TeamSerializer()
    teams = TeamSerializer(many=True)


class MeView(APIView):
    """Who is asking, and for which team."""

    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        context: TeamContext = request.team  # type: ignore[attr-defined]
        mine = teams.teams_of(context.user_id)
        body = {"username": context.username, "team": context, "teams": mine}
        return Response(MeSerializer(body).data)
