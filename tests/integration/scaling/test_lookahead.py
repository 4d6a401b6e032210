"""Schedules are told to the scaler before they fire, and their agents are there in time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from pools.models import Pool
from scaling.domain.policies import Policy
from scaling.domain.scaler import decide
from scaling.services import lookahead
from scaling.services.watching import Watch
from teams.domain.roles import Role
from tests.factories.pools import make_team
from tests.fakes.deployed import Person
from tests.integration.scaling.test_api import DOCUMENT, load_of
from workflows.models import Trigger
from workflows.services.demand import Demand

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
