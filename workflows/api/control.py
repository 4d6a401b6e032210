"""What people do with runs that are under way or have ended, over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aflow_site.api.serializers import Strict
from aflow_site.kernel.errors import NotAllowed
from teams.facade.contracts import Role
from workflows.api.serializers import RunSerializer
from workflows.domain.document import PRIORITIES
from workflows.models import Run
from workflows.selectors import runs as read
from workflows.services import control, messages, retrying, trials


class RunAction(APIView):
    """Editors act on their own runs, operators on all of the team's."""

    def run_of(self, request: Request, run_id: UUID) -> Run:
        run = read.get_run(request.team.id, run_id)  # type: ignore[attr-defined]
        team = request.team  # type: ignore[attr-defined]
        if run.created_by != team.username and not team.role.includes(Role.OPERATOR):
            raise NotAllowed(
                f"{run.created_by} started this run; acting on others' runs needs the role operator."
            )
        return run

    def author(self, request: Request) -> str:
        return str(request.team.username)  # type: ignore[attr-defined]

    def answer(self, run: Run, status: int = 202) -> Response:
        return Response(read.run_detail(read.get_run(run.team_id, run.pk)), status=status)


class CancelRunView(RunAction):
    @extend_schema(operation_id="runs_cancel", request=None, responses={202: RunSerializer})
    def post(self, request: Request, run_id: UUID) -> Response:
        """Asks for the run's end. What is under way is stopped; agents get their leases back."""
        run = self.run_of(request, run_id)
        return self.answer(control.cancel_run(run, author=self.author(request)))


class PauseRunView(RunAction):
    @extend_schema(operation_id="runs_pause", request=None, responses={202: RunSerializer})
    def post(self, request: Request, run_id: UUID) -> Response:
        """Nothing new starts from now on; what is running finishes, and then the run is `paused`."""
        run = self.run_of(request, run_id)
        return self.answer(control.pause_run(run, author=self.author(request)))


class ResumeRunView(RunAction):
    @extend_schema(operation_id="runs_resume", request=None, responses={202: RunSerializer})
    def post(self, request: Request, run_id: UUID) -> Response:
        run = self.run_of(request, run_id)
        return self.answer(control.resume_run(run, author=self.author(request)))


class RetrySerializer(Strict):
    version = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1)


class RetryRunView(RunAction):
    @extend_schema(
        operation_id="runs_retry", request=RetrySerializer, responses={202: RunSerializer, 201: RunSerializer}
    )
    def post(self, request: Request, run_id: UUID) -> Response:
        """Runs again what did not complete: failed steps, failed items of maps, and what comes after them.

        The same run goes on (202). With `version`, a new run of that version takes over what completed (201).
        """
        run = self.run_of(request, run_id)
        body = RetrySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        version = body.validated_data["version"]
        if version is None or version == run.version.number:
            return self.answer(retrying.retry_run(run, author=self.author(request)))
        new = retrying.continue_on_version(run, version, author=self.author(request))
        return self.answer(new, status=201)


class ReplaySerializer(Strict):
    params = serializers.DictField(required=False, default=dict)
    version = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=1)


class ReplayRunView(RunAction):
    @extend_schema(operation_id="runs_replay", request=ReplaySerializer, responses={201: RunSerializer})
    def post(self, request: Request, run_id: UUID) -> Response:
        """A new run with this one's params, changed by `params`; of the same version, or of `version`."""
        run = read.get_run(request.team.id, run_id)  # type: ignore[attr-defined]
        body = ReplaySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data
        new = retrying.replay_run(
            run, wanted["params"], version=wanted["version"], author=self.author(request)
        )
        return self.answer(new, status=201)


class PrioritySerializer(Strict):
    priority = serializers.IntegerField(min_value=PRIORITIES[0], max_value=PRIORITIES[1])


class PriorityView(RunAction):
    @extend_schema(operation_id="runs_prioritize", request=PrioritySerializer, responses=RunSerializer)
    def post(self, request: Request, run_id: UUID) -> Response:
        """Higher runs are served first; what waits for an agent already keeps its place."""
        run = self.run_of(request, run_id)
        body = PrioritySerializer(data=request.data)
        body.is_valid(raise_exception=True)
        priority = body.validated_data["priority"]
        return self.answer(control.prioritize_run(run, priority, author=self.author(request)), status=200)


class DecisionSerializer(Strict):
    approve = serializers.BooleanField()
    data = serializers.JSONField(required=False, allow_null=True, default=None)  # type: ignore[assignment]


class DecideView(APIView):
    """The approval itself says who may decide, viewers too when it names them."""

    required_roles = {"POST": "viewer"}

    @extend_schema(operation_id="steps_decide", request=DecisionSerializer, responses={202: RunSerializer})
    def post(self, request: Request, run_id: UUID, step: str) -> Response:
        """Decides an approval: `approve`, and the data of its form."""
        body = DecisionSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        team = request.team  # type: ignore[attr-defined]
        run = read.get_run(team.id, run_id)
        messages.decide(
            run,
            step,
            approve=body.validated_data["approve"],
            data=body.validated_data["data"],
            person=messages.Person(team.username, team.role),
        )
        return Response(read.run_detail(read.get_run(team.id, run_id)), status=202)


class SignalSerializer(Strict):
    name = serializers.CharField(max_length=200)
    payload = serializers.JSONField(required=False, allow_null=True, default=None)


class SignalView(APIView):
    @extend_schema(operation_id="runs_signal", request=SignalSerializer, responses={202: RunSerializer})
    def post(self, request: Request, run_id: UUID) -> Response:
        """Sends an event to the run: a step that waits for it, now or later, goes on with the payload."""
        body = SignalSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        team = request.team  # type: ignore[attr-defined]
        run = read.get_run(team.id, run_id)
        name, payload = body.validated_data["name"], body.validated_data["payload"]
        messages.signal(run, name, payload, author=team.username)
        return Response(read.run_detail(read.get_run(team.id, run_id)), status=202)


class TrialSerializer(Strict):
    step = serializers.CharField(max_length=63)
    input = serializers.JSONField(required=False, allow_null=True, default=None)
    document = serializers.JSONField(required=False, allow_null=True, default=None)


class TrialView(APIView):
    @extend_schema(operation_id="steps_try", request=TrialSerializer, responses={201: RunSerializer})
    def post(self, request: Request, name: str) -> Response:
        """Runs one step alone with the given input: of the newest version, or of an unsaved `document`."""
        body = TrialSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted: dict[str, Any] = body.validated_data
        team = request.team  # type: ignore[attr-defined]
        run = trials.try_step(
            team.id,
            name,
            wanted["step"],
            value=wanted["input"],
            document=wanted["document"],
            author=team.username,
        )
        return Response(read.run_detail(read.get_run(team.id, run.pk)), status=201)
