"""Schedules and the next steps of live runs are told to the scaler, and their agents are there in time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from pools.models import Pool
from scaling.domain.policies import Policy
from scaling.domain.scaler import decide
from scaling.services import lookahead
from scaling.services.watching import Watch
from teams.domain.roles import Role
from tests.factories.pools import make_pool, make_team
from tests.factories.workflows import CODE, make_run, make_workflow
from tests.fakes.deployed import Person
from tests.integration.scaling.test_api import DOCUMENT, load_of
from workflows.models import Run, Step, Trigger, Workflow
from workflows.services.demand import Demand
from workflows.services.next_steps import NextSteps

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


@pytest.fixture(autouse=True)
def _nothing_told() -> Iterator[None]:
    yield
    lookahead.expect(())


def target(pool: Pool, at: float, **policy: Any) -> tuple[int, str]:
    load, wanted = load_of(pool), Policy(max=40, **policy)
    signals = Watch(load, 1000.0).signals(load, wanted, 4.0, 1000.0, at, 2.0)
    decision = decide(signals, wanted)
    return decision.target_size, decision.reason


def test_agents_are_there_when_a_schedule_fires() -> None:
    person = Person(make_team(), Role.EDITOR)
    step = {
        **DOCUMENT["steps"][0],
        "max_parallel": 7,
        "pool": {"warm_up": True, "min_size": 0, "max_size": 40},
    }
    assert person("POST", "workflows/", {**DOCUMENT, "steps": [step]})[0] == 201
    body = {"workflow": "nightly", "name": "t", "kind": "schedule", "config": {"cron": "0 3 * * *"}}
    assert person("POST", "triggers/", body)[0] == 201
    pool = Pool.objects.get(team=person.team, name="nightly-m")
    now = timezone.now()
    foresee = Demand().foresee
    assert foresee(now - timedelta(days=400)) == 0
    due = now + timedelta(seconds=60)
    Trigger.objects.update(due_at=due)
    assert foresee(now) == 1
    moment = due.timestamp()
    assert target(pool, moment - 20) == (0, "hold")  # a start takes 4 s
    assert target(pool, moment - 5) == (7, "schedule")
    assert target(pool, moment - 5, metrics=("queue_depth",)) == (0, "hold")
    assert target(pool, moment + 10) == (0, "hold")
    Trigger.objects.update(enabled=False)
    assert foresee(now) == 0
    assert target(pool, moment - 5) == (0, "hold")


CHAIN: dict[str, Any] = {
    "steps": [
        {"id": "fetch", "type": "task", "run": CODE, "pool": "small"},
        {"id": "sort", "type": "task", "needs": ["fetch"], "run": CODE, "pool": "small"},
        {
            "id": "work",
            "type": "map",
            "needs": ["fetch"],
            "over": [1],
            "run": CODE,
            "pool": "wide",
            "max_parallel": 6,
        },
        {"id": "join", "type": "task", "needs": ["work", "sort"], "run": CODE, "pool": "last"},
    ]
}


def at_work(workflow: Workflow, key: str, since: datetime, **values: Any) -> Run:
    """A live run in which the step has been at work since then, after those that it needs."""
    run = make_run(workflow, "running")
    done = {"fetch": (), "work": ("fetch",)}[key]
    Step.objects.filter(run=run, key__in=done).update(state="completed")
    Step.objects.filter(run=run, key=key).update(state="running", started_at=since, **values)
    return run


def finished(workflow: Workflow, seconds: float) -> None:
    """An earlier run whose steps took so long."""
    run, now = make_run(workflow), timezone.now()
    Step.objects.filter(run=run).update(started_at=now - timedelta(seconds=seconds), finished_at=now)


def expected(now: datetime) -> dict[str, Any]:
    """By pool: agents, and seconds from now on."""
    return {one.pool: (one.agents, one.at - now.timestamp()) for one in NextSteps().expected(now)}


def test_the_next_steps_of_live_runs_are_told_when_the_present_ones_end() -> None:
    workflow, now = make_workflow(make_team(), **CHAIN), timezone.now()
    at_work(workflow, "fetch", now - timedelta(seconds=20))
    assert expected(now) == {}  # nobody knows yet how long it takes
    finished(workflow, 30.0)
    # `sort` takes the agent that `fetch` gives back; `join` waits for more than is at work.
    assert expected(now) == {"wide": (6, pytest.approx(10, abs=0.1))}
    assert expected(now + timedelta(seconds=60)) == {"wide": (6, 0.0)}  # overdue: any moment now


def test_a_map_tells_by_itself_when_it_ends() -> None:
    workflow, now = make_workflow(make_team(), **CHAIN), timezone.now()
    run = at_work(workflow, "work", now - timedelta(seconds=30), total=40, completed=28, failed=2)
    assert expected(now) == {}  # `sort` has not even begun
    Step.objects.filter(run=run, key="sort").update(state="skipped")
    assert expected(now) == {"last": (1, pytest.approx(10, abs=0.1))}


@pytest.mark.parametrize(
    "stopped",
    [
        {"state": "waiting"},
        {"state": "completed"},
        {"pause_requested_at": timezone.now()},
        {"cancel_requested_at": timezone.now()},
    ],
)
def test_runs_that_do_not_go_on_ask_for_nothing(stopped: dict[str, Any]) -> None:
    workflow, now = make_workflow(make_team(), **CHAIN), timezone.now()
    finished(workflow, 30.0)
    run = at_work(workflow, "fetch", now)
    assert expected(now)
    Run.objects.filter(pk=run.pk).update(**stopped)
    assert expected(now) == {}


def test_agents_are_there_when_the_next_step_begins() -> None:
    team = make_team()
    workflow, now = make_workflow(team, **CHAIN), timezone.now()
    pool = make_pool(team, name="wide", min_size=0, max_size=40)
    finished(workflow, 30.0)
    at_work(workflow, "fetch", now - timedelta(seconds=26))
    at_work(workflow, "fetch", now - timedelta(seconds=25))
    at_work(workflow, "fetch", now)
    assert Demand().foresee(now) == 3
    assert target(pool, now.timestamp()) == (12, "lookahead")  # a start takes 4 s: two of three end in time
    assert target(pool, now.timestamp(), metrics=("queue_depth",)) == (0, "hold")


def test_looking_is_cheap_however_much_goes_on(django_assert_max_num_queries: Any) -> None:
    workflow, now = make_workflow(make_team(), **CHAIN), timezone.now()
    finished(workflow, 30.0)
    steps = NextSteps()
    with django_assert_max_num_queries(2):
        steps.expected(now)
    for _ in range(120):
        at_work(workflow, "fetch", now)
    steps.expected(now)
    with django_assert_max_num_queries(3):  # what it learned of versions and steps it knows
        assert len(steps.expected(now)) == 100
