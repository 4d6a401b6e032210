"""Schedules that are due: each moment once, whoever looks, with the policies for pauses and overlaps."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from teams.facade.contracts import Role
from teams.models import AuditEntry
from tests.factories.members import Api, member
from tests.factories.workflows import end_run, make_run, make_workflow
from workflows.domain.triggers import Kind
from workflows.models import Firing, Run, Trigger, Workflow
from workflows.services import runs, triggers
from workflows.services.schedules import fire_due

pytestmark = pytest.mark.django_db(transaction=True)

DUE = datetime(2026, 11, 25, 10, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def api() -> Api:
    return member(Role.EDITOR, name="ann")


def schedule(api: Api, cron: str = "*/10 * * * *", *, params: Any = None, **config: Any) -> Trigger:
    """One that is due at `DUE`."""
    workflow = make_workflow(api.team)
    trigger = triggers.create_trigger(
        api.team.pk,
        triggers.NewTrigger(
            workflow=workflow.name,
            name="s",
            kind=Kind.SCHEDULE,
            config={"cron": cron, **config},
            params=params or {},
        ),
        author="ann",
    )
    Trigger.objects.filter(pk=trigger.pk).update(due_at=DUE)
    return trigger


def outcomes() -> list[tuple[str, str]]:
    return list(Firing.objects.order_by("pk").values_list("occasion", "outcome"))


def test_a_schedule_fires_when_it_is_due_and_only_once(api: Api) -> None:
    trigger = schedule(api, params={"n": 1})
    assert fire_due(DUE - timedelta(microseconds=1)) == 0
    assert fire_due(DUE + timedelta(seconds=1)) == 1
    assert fire_due(DUE + timedelta(seconds=2)) == 0
    run = Run.objects.get()
    assert (run.trigger, run.params, run.created_by, run.state) == (trigger, {"n": 1}, "ann", "pending")
    assert outcomes() == [("2026-11-25T10:30:00Z", "started")]
    trigger.refresh_from_db()
    assert trigger.due_at == DUE + 10 * MINUTE
    assert fire_due(DUE + 10 * MINUTE) == 0  # the run before has not ended: this one waits
    assert outcomes()[-1] == ("2026-11-25T10:40:00Z", "queued")


def test_two_controllers_at_the_same_moment(api: Api) -> None:
    schedule(api, overlap="allow")
    start, counts = threading.Barrier(4), []

    def controller() -> None:
        start.wait()
        try:
            counts.append(fire_due(DUE))
        except OperationalError:
            counts.append(0)  # SQLite may let one wait in vain; it comes back in a second
        finally:
            connection.close()

    threads = [threading.Thread(target=controller) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 1
    assert Run.objects.count() == 1


@pytest.mark.parametrize(
    ("catch_up", "started", "noted"),
    [
        ("skip", ["11:30"], [("11:20", "skipped"), ("11:30", "started")]),
        ("last", ["11:30"], [("11:20", "skipped"), ("11:30", "started")]),
        ("all", ["10:30", "10:40", "10:50", "11:00", "11:10", "11:20", "11:30"], None),
    ],
)
def test_after_a_pause(api: Api, catch_up: str, started: list[str], noted: Any) -> None:
    trigger = schedule(api, catch_up=catch_up, overlap="allow")
    now = DUE + timedelta(hours=1, seconds=3)
    assert fire_due(now) == len(started)
    told = [(occasion[11:16], outcome) for occasion, outcome in outcomes()]
    assert told == (noted or [(moment, "started") for moment in started])
    trigger.refresh_from_db()
    assert trigger.due_at == DUE + 70 * MINUTE


def test_what_was_missed_is_told_in_one_line(api: Api) -> None:
    schedule(api, "30 10 * * *", catch_up="skip")
    assert fire_due(DUE + timedelta(days=3, hours=5)) == 0
    firing = Firing.objects.get()
    assert (firing.outcome, firing.occasion) == ("skipped", "2026-11-28T10:30:00Z")
    assert "4 moments" in firing.detail
    assert not Run.objects.exists()


def test_catching_up_on_a_year_is_bounded(api: Api) -> None:
    schedule(api, "* * * * *", catch_up="all", overlap="allow")
    Trigger.objects.update(due_at=DUE - timedelta(days=365))
    assert fire_due(DUE) == 100
    assert "more than 1 moments" in Firing.objects.get(outcome="skipped").detail


def test_overlap_skip(api: Api) -> None:
    schedule(api, overlap="skip")
    fire_due(DUE)
    fire_due(DUE + 10 * MINUTE)
    assert [outcome for _, outcome in outcomes()] == ["started", "skipped"]
    end_run(Run.objects.get())
    assert fire_due(DUE + 20 * MINUTE) == 1


def test_overlap_queue_lets_one_wait(api: Api) -> None:
    schedule(api, overlap="queue", params={"n": 1})
    for n in range(4):
        fire_due(DUE + n * 10 * MINUTE)
    assert [outcome for _, outcome in outcomes()] == ["started", "queued", "skipped", "skipped"]
    assert fire_due(DUE + 31 * MINUTE) == 0
    end_run(Run.objects.get())
    assert fire_due(DUE + 32 * MINUTE) == 1
    waited = Firing.objects.get(occasion="2026-11-25T10:40:00Z")
    assert (waited.outcome, waited.detail) == ("started", "")
    assert waited.run == Run.objects.get(state="pending")
    end_run(Run.objects.get(state="pending"))
    assert fire_due(DUE + 33 * MINUTE) == 0  # the skipped ones stay skipped


def test_overlap_allow(api: Api) -> None:
    schedule(api, overlap="allow")
    assert [fire_due(DUE + n * 10 * MINUTE) for n in range(3)] == [1, 1, 1]


def test_everything_that_was_missed_goes_one_after_the_other(api: Api) -> None:
    schedule(api, catch_up="all", overlap="queue")
    now = DUE + 35 * MINUTE
    started = fire_due(now)
    for _ in range(6):
        Run.objects.filter(finished_at=None).update(state="completed", finished_at=timezone.now())
        started += fire_due(now)
    assert (started, Run.objects.count()) == (4, 4)
    assert {outcome for _, outcome in outcomes()} == {"started"}


def test_runs_of_others_are_no_overlap(api: Api) -> None:
    trigger = schedule(api, overlap="skip")
    make_run(trigger.workflow, "running")
    assert fire_due(DUE) == 1


def test_params_that_do_not_fit_any_more(api: Api) -> None:
    trigger = schedule(api, params={"n": 1})
    version = trigger.workflow.versions.get()
    version.document = {**version.document, "params": {"type": "object", "properties": {"m": {}}}}
    version.save()
    assert fire_due(DUE) == 0
    firing = Firing.objects.get()
    assert firing.outcome == "failed"
    assert "'n'" in firing.detail
    trigger.refresh_from_db()
    assert trigger.due_at == DUE + 10 * MINUTE  # it is tried again at its next moment


def test_triggers_that_are_off_or_gone_do_not_fire(api: Api) -> None:
    off = schedule(api)
    Trigger.objects.filter(pk=off.pk).update(enabled=False)
    archived = schedule(api)
    Workflow.objects.filter(pk=archived.workflow_id).update(archived_at=DUE)
    assert fire_due(DUE) == 0
    assert outcomes() == []


def test_switching_off_drops_what_waits(api: Api) -> None:
    trigger = schedule(api, overlap="queue")
    fire_due(DUE)
    fire_due(DUE + 10 * MINUTE)
    triggers.change_trigger(api.team.pk, trigger.pk, {"enabled": False}, author="ann")
    assert [outcome for _, outcome in outcomes()] == ["started", "skipped"]
    triggers.change_trigger(api.team.pk, trigger.pk, {"enabled": True}, author="ann")
    trigger.refresh_from_db()
    assert trigger.due_at is not None
    assert trigger.due_at > timezone.now()  # what it missed meanwhile is not made up for


def test_a_fault_of_ours_does_not_stop_the_others(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, fine = schedule(api, overlap="allow"), schedule(api, overlap="allow")
    start = runs.start_run

    def start_run(team_id: int, name: str, *args: Any, **more: Any) -> Any:
        if name == broken.workflow.name:
            raise ZeroDivisionError
        return start(team_id, name, *args, **more)

    monkeypatch.setattr("workflows.services.firings.start_run", start_run)
    assert fire_due(DUE) == 1
    assert Run.objects.get().trigger == fine
    failed = Firing.objects.get(trigger=broken)
    assert (failed.outcome, failed.detail) == ("failed", "Our fault: ZeroDivisionError.")
    broken.refresh_from_db()
    assert broken.due_at == DUE + 10 * MINUTE


def test_a_fault_of_ours_in_what_waits_does_not_stop_the_others(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, fine = schedule(api, overlap="queue"), schedule(api, overlap="queue")
    for now in (DUE, DUE + 10 * MINUTE):
        fire_due(now)
    Run.objects.update(state="completed", finished_at=timezone.now())
    start = runs.start_run

    def start_run(team_id: int, name: str, *args: Any, **more: Any) -> Any:
        if name == broken.workflow.name:
            raise ZeroDivisionError
        return start(team_id, name, *args, **more)

    monkeypatch.setattr("workflows.services.firings.start_run", start_run)
    assert fire_due(DUE + 11 * MINUTE) == 1
    assert Firing.objects.get(trigger=broken, outcome="failed").detail == "Our fault: ZeroDivisionError."
    assert Run.objects.get(state="pending").trigger == fine


def test_a_database_that_is_away_leaves_it_due(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule(api)
    with monkeypatch.context() as patch:

        def away(*_args: Any, **_more: Any) -> Any:
            raise OperationalError("away")

        patch.setattr("workflows.services.firings.start_run", away)
        with pytest.raises(OperationalError):
            fire_due(DUE)
    assert outcomes() == []
    assert fire_due(DUE + timedelta(seconds=1)) == 1


def test_the_audit_log_knows_that_it_was_a_schedule(api: Api) -> None:
    schedule(api)
    fire_due(DUE)
    entry = AuditEntry.objects.get(action="run.started")
    assert (entry.actor, entry.via) == ("ann", "schedule")
