"""What is deleted, when, and what stays."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import OperationalError
from django.utils import timezone

from teams.facade import api as teams
from teams.facade.contracts import Role
from teams.models import AuditEntry, Team
from tests.factories.members import Api, member
from tests.factories.workflows import CODE, end_run, make_run, make_workflow
from workflows.models import (
    Artifact,
    Event,
    Firing,
    Item,
    LogLine,
    Run,
    RunMessage,
    RunValue,
    Step,
    Trigger,
    Workflow,
)
from workflows.selectors import artifacts as stored
from workflows.services import artifacts, retention, timers
from workflows.services.retention import is_past, tidy

pytestmark = pytest.mark.django_db(transaction=True)

NOW = timezone.now()
DAY = timedelta(days=1)


@pytest.fixture
def api() -> Api:
    return member(Role.EDITOR)


@pytest.fixture
def workflow(api: Api) -> Workflow:
    return make_workflow(api.team)


def fill(run: Run, items: int = 3) -> None:
    """Something in every table that hangs on a run."""
    step = run.steps.get()
    Item.objects.bulk_create(Item(step=step, index=n, state="completed") for n in range(items))
    Event.objects.bulk_create(Event(run=run, seq=n + 1, type="x", at=NOW) for n in range(items))
    LogLine.objects.create(run=run, step="a", attempt=1, at=NOW, stream="stdout", text="x")
    RunMessage.objects.create(run=run, kind="signal", name="x", author="ann", at=NOW)
    RunValue.objects.create(run=run, key="k", value=1, updated_at=NOW)
    artifacts.store(run.team_id, run.pk, b"[1]")


def rows_of_runs() -> dict[str, int]:
    kept = ("Workflow", "WorkflowVersion", "Trigger", "Bundle", "Executor", "PastEnds")
    models = apps.get_app_config("workflows").get_models()
    counts = {m.__name__: m._default_manager.count() for m in models if m.__name__ not in kept}
    return {name: count for name, count in counts.items() if count}


def finish(budget: float = 5.0) -> None:
    for _ in range(50):
        if not tidy(NOW, budget):
            return
    pytest.fail("there is always more to delete")


def test_an_old_run_goes_with_all_that_hangs_on_it(workflow: Workflow) -> None:
    fill(make_run(workflow, finished_at=NOW - 91 * DAY, tags=("a", "b")))
    finish()
    assert rows_of_runs() == {}


def test_a_younger_one_stays_whole(workflow: Workflow) -> None:
    fill(make_run(workflow, finished_at=NOW - 89 * DAY, tags=("a",)))
    before = rows_of_runs()
    finish()
    assert rows_of_runs() == before


def test_runs_that_are_not_over_stay_however_old(workflow: Workflow) -> None:
    for state in ("pending", "running", "paused", "waiting"):
        run = make_run(workflow, state)
        Run.objects.filter(pk=run.pk).update(created_at=NOW - 500 * DAY)
    finish()
    assert Run.objects.count() == 4


def test_runs_with_the_tag_keep_stay(workflow: Workflow, settings: Any) -> None:
    kept = make_run(workflow, finished_at=NOW - 500 * DAY, tags=("keep", "a"))
    make_run(workflow, finished_at=NOW - 500 * DAY, tags=("keeper",))
    finish()
    assert list(Run.objects.all()) == [kept]
    settings.AFLOW_KEEP_TAG = "a"
    finish()
    assert Run.objects.exists()
    settings.AFLOW_KEEP_TAG = "release"
    finish()
    assert not Run.objects.exists()


def test_a_team_s_own_days(workflow: Workflow, settings: Any) -> None:
    other = make_workflow(Team.objects.create(slug="o", name="O"))
    for days in (5, 50, 500):
        make_run(workflow, finished_at=NOW - days * DAY)
        make_run(other, finished_at=NOW - days * DAY)
    Team.objects.filter(pk=workflow.team_id).update(retention_days=10)
    finish()
    assert (workflow.runs.count(), other.runs.count()) == (1, 2)
    settings.AFLOW_RETENTION_DAYS = 0  # for ever, where a team does not say otherwise
    Run.objects.update(finished_at=NOW - 5000 * DAY)
    finish()
    assert (workflow.runs.count(), other.runs.count()) == (0, 2)


def test_runs_below_a_run_go_and_stay_with_it(workflow: Workflow) -> None:
    old = NOW - 100 * DAY

    def family(tags: tuple[str, ...] = (), grandchild: str = "completed") -> None:
        top = make_run(workflow, finished_at=old, tags=tags)
        child = make_run(workflow, finished_at=old, parent_step=top.steps.get(), parent_attempt=1)
        fill(child)
        values: dict[str, Any] = {} if grandchild == "running" else {"finished_at": old}
        make_run(workflow, grandchild, parent_step=child.steps.get(), parent_attempt=1, **values)

    family()
    finish()
    assert rows_of_runs() == {}
    family(tags=("keep",))
    family(grandchild="running")
    finish()
    assert Run.objects.count() == 6
    end_run(Run.objects.get(state="running"))
    finish()
    assert Run.objects.count() == 3


def test_a_child_is_no_older_than_its_parent(workflow: Workflow) -> None:
    top = make_run(workflow, finished_at=NOW)
    make_run(workflow, finished_at=NOW - 100 * DAY, parent_step=top.steps.get(), parent_attempt=1)
    finish()
    assert Run.objects.count() == 2


def test_repeats_outlive_what_they_repeat(workflow: Workflow) -> None:
    old = make_run(workflow, finished_at=NOW - 100 * DAY)
    repeat = make_run(workflow, origin=old)
    finish()
    repeat.refresh_from_db()
    assert repeat.origin is None


def test_deletion_is_in_pages_and_bounded(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PAGE", 5)
    monkeypatch.setattr(retention, "CHUNK", 20)
    for _ in range(12):
        fill(make_run(workflow, finished_at=NOW - 100 * DAY))
    assert tidy(NOW, 0.0) is True
    assert Run.objects.count() == 12
    finish()
    assert rows_of_runs() == {}


class Ticking:
    """A clock that moves a second each time somebody looks at it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        self.seconds += 1
        return self.seconds


def test_a_large_run_goes_in_several_rounds_its_row_last(
    workflow: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CHUNK", 50)
    monkeypatch.setattr(retention, "system_clock", Ticking())
    fill(make_run(workflow, finished_at=NOW - 100 * DAY), items=500)
    left = [Item.objects.count() + Event.objects.count()]
    while tidy(NOW, 4):
        assert Run.objects.exists() or left[-1] == 0
        left.append(Item.objects.count() + Event.objects.count())
    assert rows_of_runs() == {}
    assert len(left) > 4
    assert left == sorted(left, reverse=True)


def test_state_that_has_expired(workflow: Workflow) -> None:
    run = make_run(workflow, "running")
    for n, expires_at in enumerate([None, NOW - DAY, NOW, NOW + DAY]):
        RunValue.objects.create(run=run, key=str(n), value=n, updated_at=NOW, expires_at=expires_at)
    finish()
    assert sorted(RunValue.objects.values_list("key", flat=True)) == ["0", "3"]


def test_firings_and_audit_entries(workflow: Workflow, settings: Any) -> None:
    trigger = Trigger.objects.create(team_id=workflow.team_id, workflow=workflow, name="t", kind="schedule")
    for outcome in ("started", "failed", "skipped", "queued"):
        for days in (1, 100):
            Firing.objects.create(
                trigger=trigger, occasion=f"{outcome}{days}", at=NOW - days * DAY, outcome=outcome
            )
    for _ in range(3):
        teams.audit(workflow.team_id, actor="ann", action="x.y", target="x/1")
    first = AuditEntry.objects.earliest("pk")
    AuditEntry.objects.filter(pk=first.pk).update(at=NOW - 400 * DAY)
    finish()
    assert set(Firing.objects.values_list("occasion", flat=True)) == {
        "started1",
        "failed1",
        "skipped1",
        "queued1",
        "queued100",
    }
    assert AuditEntry.objects.count() == 2
    settings.AFLOW_AUDIT_DAYS = 0
    AuditEntry.objects.update(at=NOW - 4000 * DAY)
    finish()
    assert AuditEntry.objects.count() == 2


def test_artifacts_go_with_their_runs(workflow: Workflow) -> None:
    old, young = make_run(workflow, finished_at=NOW - 100 * DAY), make_run(workflow)
    artifacts.store(workflow.team_id, old.pk, b"[1]")
    artifacts.store(workflow.team_id, old.pk, b"[2]")
    ref = artifacts.store(workflow.team_id, young.pk, b"[2]")
    finish()
    assert [artifact.sha256 for artifact in Artifact.objects.all()] == [ref.sha256]
    assert stored.load(workflow.team_id, ref.sha256) == b"[2]"


def test_pools_of_workflows_that_are_gone(api: Api) -> None:
    def document(name: str) -> dict[str, Any]:
        return {"name": name, "steps": [{"id": "a", "type": "task", "run": CODE, "pool": {"size": 1}}]}

    def status(pool: str) -> int:
        code: int = api("GET", f"pools/{pool}/").status_code
        return code

    runs = {}
    for name in ("gone", "busy", "again", "there"):
        api("POST", "workflows/", document(name))
        runs[name] = make_run(Workflow.objects.get(name=name), "running")
    for name in ("gone", "busy", "again"):
        api("DELETE", f"workflows/{name}/")
    api("POST", "workflows/", document("again"))  # a new one of that name, with the pool of that name
    end_run(runs["gone"])
    end_run(runs["again"])
    finish()
    assert {name: status(f"{name}-a") for name in runs} == {
        "gone": 404,
        "busy": 200,
        "again": 200,
        "there": 200,
    }


def test_what_is_past_must_not_be_begun_again(workflow: Workflow) -> None:
    assert not is_past(make_run(workflow, "running"), NOW)
    assert not is_past(make_run(workflow, finished_at=NOW - 89 * DAY), NOW)
    assert is_past(make_run(workflow, finished_at=NOW - 91 * DAY), NOW)
    assert not is_past(make_run(workflow, finished_at=NOW - 91 * DAY, tags=("keep",)), NOW)


async def test_the_controller_s_timers(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each round comes, whatever became of the one before."""
    calls: dict[str, int] = {"fire_due": 0, "look_at_ends": 0, "tidy": 0}
    enough, loop = asyncio.Event(), asyncio.get_running_loop()
    troubles = [OperationalError("away"), ZeroDivisionError(), None, None]

    def duty(name: str) -> Any:
        def run(_now: Any, *_budget: Any) -> bool:
            calls[name] += 1
            if min(calls.values()) >= 4:
                loop.call_soon_threadsafe(enough.set)
            trouble = troubles[min(calls[name], len(troubles)) - 1]
            if trouble is not None:
                raise trouble
            return True

        run.__name__ = name
        return run

    for name in calls:
        monkeypatch.setattr(timers, name, duty(name))
    for name in ("FIRE_EVERY", "LOOK_AT_ENDS_EVERY", "TIDY_EVERY", "TIDY_PAUSE"):
        monkeypatch.setattr(timers, name, 0.001)
    stop = asyncio.Event()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(timers.fire_forever(stop))
        group.create_task(timers.tidy_forever(stop))
        await enough.wait()
        stop.set()


def test_steps_of_many_runs_need_few_statements(
    workflow: Workflow, django_assert_max_num_queries: Any
) -> None:
    for _ in range(100):
        make_run(workflow, finished_at=NOW - 100 * DAY)
    with django_assert_max_num_queries(60):
        finish()
    assert (Run.objects.count(), Step.objects.count()) == (0, 0)
