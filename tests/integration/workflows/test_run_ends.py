"""Runs that start when others end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from teams.facade.contracts import Role
from tests.factories.members import Api, member
from tests.factories.workflows import end_run, make_run, make_workflow
from workflows.domain.artifacts import packed
from workflows.domain.triggers import Kind
from workflows.models import Firing, Run, Step, Trigger, Workflow
from workflows.services import artifacts, triggers
from workflows.services.run_ends import PAGE, look_at_ends, on_run_ended

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def api() -> Api:
    api = member(Role.EDITOR, name="ann")
    make_workflow(api.team, "first")
    make_workflow(api.team, "second")
    return api


def watch(api: Api, workflow: str, watched: str, *states: str, name: str = "t", **more: Any) -> Trigger:
    config = {"workflow": watched, "states": list(states or ("completed",))}
    if "map" in more:
        config["map"] = more.pop("map")
    wanted = triggers.NewTrigger(workflow, name, Kind.EVENT, config, **more)
    return triggers.create_trigger(api.team.pk, wanted, author="ann")


def ended(workflow: str, state: str = "completed", **values: Any) -> Run:
    return make_run(Workflow.objects.get(name=workflow), state, **values)


def started(workflow: str) -> list[Run]:
    return list(Run.objects.filter(workflow__name=workflow, state="pending").order_by("created_at"))


def test_an_end_starts_a_run_once(api: Api) -> None:
    trigger = watch(api, "second", "first", map={"got": "${run.output}", "by": "${run.id}"}, params={"n": 1})
    run = ended("first", output={"rows": 3})
    assert [on_run_ended(run.pk), on_run_ended(run.pk), look_at_ends(timezone.now())] == [1, 0, 0]
    (follower,) = started("second")
    assert follower.params == {"got": {"rows": 3}, "by": str(run.pk), "n": 1}
    assert (follower.trigger, follower.created_by) == (trigger, "ann")
    firing = Firing.objects.get()
    assert (firing.outcome, firing.chain) == ("started", 1)
    assert firing.detail == f"Run {run.pk} of first is completed."


def test_the_sweep_finds_ends_that_nobody_told_of(api: Api) -> None:
    watch(api, "second", "first")
    run = ended("first")
    assert [look_at_ends(timezone.now()), look_at_ends(timezone.now()), on_run_ended(run.pk)] == [1, 0, 0]


def test_a_late_commit_is_found_within_minutes(api: Api) -> None:
    watch(api, "second", "first")
    now = timezone.now()
    Trigger.objects.update(since=now - timedelta(hours=1))
    assert look_at_ends(now) == 0
    ended("first", finished_at=now - timedelta(minutes=4))  # its moment is past, its commit comes now
    assert look_at_ends(now + timedelta(seconds=10)) == 1


def test_states_that_are_not_asked_for(api: Api) -> None:
    watch(api, "second", "first", "failed", "cancelled")
    for state, count in [("completed", 0), ("failed", 1), ("cancelled", 1), ("running", 0)]:
        assert on_run_ended(ended("first", state).pk) == count, state
    assert on_run_ended(ended("second", "failed").pk) == 0


def test_a_run_that_ends_again_fires_again(api: Api) -> None:
    watch(api, "second", "first", "completed", "failed")
    run = ended("first", "failed")
    on_run_ended(run.pk)
    Run.objects.filter(pk=run.pk).update(state="running", finished_at=None)
    assert on_run_ended(run.pk) == 0
    run.refresh_from_db()
    assert on_run_ended(end_run(run).pk) == 1


def test_ends_from_before_the_trigger_are_none_of_its_business(api: Api) -> None:
    run = ended("first")
    trigger = watch(api, "second", "first")
    assert (on_run_ended(run.pk), look_at_ends(timezone.now())) == (0, 0)
    triggers.change_trigger(api.team.pk, trigger.pk, {"enabled": False}, author="ann")
    meanwhile = ended("first")
    assert (on_run_ended(meanwhile.pk), look_at_ends(timezone.now())) == (0, 0)
    triggers.change_trigger(api.team.pk, trigger.pk, {"enabled": True}, author="ann")
    assert (on_run_ended(meanwhile.pk), look_at_ends(timezone.now())) == (0, 0)
    assert on_run_ended(ended("first").pk) == 1


def test_many_ends_at_once_are_looked_at_in_pages(api: Api) -> None:
    watch(api, "second", "first")
    workflow = Workflow.objects.get(name="first")
    now = timezone.now() + timedelta(hours=1)
    version = workflow.versions.get()
    Run.objects.bulk_create(
        Run(
            team=api.team,
            workflow=workflow,
            version=version,
            state="completed",
            finished_at=now - timedelta(minutes=30) + timedelta(seconds=n // 10),
        )
        for n in range(PAGE + 100)
    )
    assert [look_at_ends(now) for _ in range(3)] == [PAGE, 100, 0]


def test_other_teams_hear_nothing(api: Api) -> None:
    stranger = member(Role.EDITOR, "strangers")
    make_workflow(stranger.team, "first")
    make_workflow(stranger.team, "second")
    watch(stranger, "second", "first")
    run = make_run(Workflow.objects.get(team=api.team, name="first"))
    assert (on_run_ended(run.pk), look_at_ends(timezone.now())) == (0, 0)


def test_trials_of_a_step_are_nobody_s_runs(api: Api) -> None:
    watch(api, "second", "first")
    run = ended("first", document={"name": "first", "steps": []})
    assert (on_run_ended(run.pk), look_at_ends(timezone.now())) == (0, 0)


def test_a_map_without_a_value(api: Api) -> None:
    watch(api, "second", "first", map={"x": "${run.output.rows}"})
    assert on_run_ended(ended("first", output=None).pk) == 0
    firing = Firing.objects.get()
    assert (firing.outcome, firing.run) == ("failed", None)
    assert "x: " in firing.detail
    assert look_at_ends(timezone.now()) == 0  # it is not tried again and again


def test_outputs_that_are_artifacts_or_look_like_them(api: Api) -> None:
    watch(api, "second", "first", map={"x": "${run.output}"})
    run = ended("first")
    ref = artifacts.store(api.team.pk, run.pk, b'["large"]')
    run.output = ref.as_json()
    run.save()
    on_run_ended(run.pk)
    on_run_ended(ended("first", output=packed(ref.as_json())).pk)
    assert [follower.params["x"] for follower in started("second")] == [["large"], ref.as_json()]


def test_a_chain_is_cut(api: Api) -> None:
    watch(api, "second", "first")
    watch(api, "first", "second")
    run: Run | None = ended("first")
    length = 0
    while run is not None:
        length += on_run_ended(run.pk)
        run = Run.objects.filter(state="pending").first()
        if run is not None:
            end_run(run)
    assert length == 10
    refused = Firing.objects.get(outcome="failed")
    assert (refused.chain, refused.run) == (11, None)
    assert "loop" in refused.detail


def test_a_sub_workflow_s_run_is_part_of_its_parent_s_chain(api: Api) -> None:
    make_workflow(api.team, "child")
    watch(api, "second", "first")
    watch(api, "first", "child")
    on_run_ended(ended("first").pk)
    (parent,) = started("second")
    step = Step.objects.get(run=parent)
    child = ended("child", parent_step=step, parent_attempt=1)
    assert on_run_ended(child.pk) == 1
    assert Firing.objects.order_by("-pk")[0].chain == 2
