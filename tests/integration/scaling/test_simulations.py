"""Simulations over HTTP: of a pool's own history or of a trace, run apart, and taken up again."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from celery import current_app
from django.core.management import call_command

from pools.models import Pool
from scaling.facade import simulation as simulator
from scaling.models import ArrivalHour, ScalingDecision, Simulation
from scaling.selectors.history import arrivals_of
from scaling.services import simulating, simulations
from scaling.tasks import simulate
from teams.domain.roles import Role
from tests.factories.pools import make_pool, make_team
from tests.fakes.deployed import Person
from tests.integration.scaling.test_api import make_decision

pytestmark = pytest.mark.django_db(transaction=True)

TRACE = "second_offset,count\n" + "".join(f"{minute * 60},{20 + minute % 7}\n" for minute in range(30))
NOW = datetime(2027, 1, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the messages that were sent to executors."""
    names: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **_options: names.append(name))
    return names


def seen(pool: Pool, minutes_ago: float, **signals: Any) -> None:
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    ScalingDecision.objects.bulk_create([make_decision(pool, at=at.timestamp(), **signals).row()])


def came(pool: Pool, arrivals: dict[int, int]) -> None:
    """So many in those minutes since the epoch, as the scaler keeps them."""
    hours: dict[int, list[list[float] | None]] = {}
    for minute, number in arrivals.items():
        hours.setdefault(minute // 60, [None] * 60)[minute % 60] = [number, number, number * 2.0, 1]
    for hour, bins in hours.items():
        last = hour * 60 + 59
        ArrivalHour.objects.create(
            team_id=pool.team_id,
            pool_id=pool.pk,
            hour=hour,
            bins=bins,
            last=last,
            asked=0,
            ended=0,
            held_seconds=0,
        )


def start(person: Person, **body: Any) -> dict[str, Any]:
    request = {"trace": TRACE, "policies": ["balanced", "fixed:3"], "seeds": 2, **body}
    status, made = person("POST", "simulations/", request)
    assert status == 201, made
    return dict(made)


def test_a_trace_is_simulated_as_the_command_does_it(sent: list[str]) -> None:
    person = Person(make_team(), Role.EDITOR)
    made = start(person, service_mean=4, mean_busy=2)
    assert (made["state"], made["progress"], made["arrivals"]) == (
        "pending",
        {"done": 0, "total": 4},
        "trace",
    )
    assert sent == ["scaling.simulate"]
    call_command("run_simulations")
    status, done = person("GET", f"simulations/{made['id']}/")
    assert (status, done["state"], done["progress"]) == (200, "completed", {"done": 4, "total": 4})
    trace = simulator.read(TRACE.splitlines())
    conditions = simulator.Conditions(hours=0.5, service_mean=4, mean_busy=2)
    expected = simulator.study(trace, conditions, ["balanced", "fixed:3"], 2, processes=0)
    assert done["results"] == [verdict.as_record() for verdict in expected]
    assert sent == ["scaling.simulate"], "what is completed is not sent for again"


def test_without_a_scale_the_traces_own_arrivals_come() -> None:
    made = start(Person(make_team()), service_mean=6)
    arrivals = sum(20 + minute % 7 for minute in range(30))
    assert made["conditions"]["mean_busy"] == pytest.approx(arrivals * 6 / 1800)
    assert made["conditions"]["hours"] == 0.5


def test_a_pools_history_is_replayed_under_what_the_pool_was_like() -> None:
    team = make_team()
    pool = make_pool(team, min_size=0, max_size=7, price="0.25")
    seen(pool, 1, service_time=3.0, start_time=1.5)
    minute = int(datetime.now(UTC).timestamp() // 60)
    came(pool, dict.fromkeys(range(minute - 30, minute), 30))
    person = Person(team)
    person("POST", "policies/", {"pool": pool.name, "preset": "reactive", "min_idle": 2})
    made = start(person, trace=None, pool=pool.name, policies=["current", "balanced"], seeds=1)
    conditions = made["conditions"]
    assert (made["arrivals"], conditions["service_mean"], conditions["start_time"]) == ("history", 3.0, 1.5)
    assert (conditions["max_size"], conditions["price"]) == (7, 0.25)
    assert conditions["mean_busy"] == pytest.approx(1.5, rel=0.05)
    assert simulating.work_off() == 1
    current, balanced = person("GET", f"simulations/{made['id']}/")[1]["results"]
    assert current["policy"] == "current"
    assert current["agent_seconds"] > balanced["agent_seconds"], "two agents are always kept free by it"


def test_the_minutes_that_are_over_are_replayed() -> None:
    pool = make_pool()
    now = datetime.now(UTC)
    minute = int(now.timestamp() // 60)
    came(pool, {minute - 90: 7, minute - 5: 20, minute - 3: 40, minute: 99})
    assert arrivals_of(pool.pk, 1, now) == [20, 0, 40, 0, 0]
    assert arrivals_of(pool.pk, 2, now)[0] == 7
    assert arrivals_of(make_pool().pk, 1, now) == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"trace": None}, "pool"),
        ({"trace": "a,b\n1,2\n"}, "trace"),
        ({"trace": "second_offset,count\n0,x\n"}, "trace"),
        ({"trace": "second_offset,count\n"}, "trace"),
        ({"policies": []}, "policies"),
        ({"policies": ["magic"]}, "policies"),
        ({"policies": ["balanced", "balanced"]}, "policies"),
        ({"policies": ["current"]}, "policies"),
        ({"policies": ["balanced:7"]}, "policies"),
        ({"seeds": 0}, "seeds"),
        ({"seeds": 1000}, "seeds"),
        ({"offset_hours": 5}, "offset_hours"),
        ({"service_mean": 0}, "service_mean"),
        ({"service_mean": -1, "mean_busy": 3}, "service_mean"),
        ({"service_mean": 1e-7, "mean_busy": 100}, "hours"),
        ({"speed": 3}, "speed"),
    ],
)
def test_what_cannot_be_simulated_is_refused_by_its_field(body: dict[str, Any], path: str) -> None:
    status, problem = Person(make_team())("POST", "simulations/", {"trace": TRACE, **body})
    assert status == 400, problem
    assert path in {fault["path"].split(".")[0] for fault in problem["errors"]}
    assert not Simulation.objects.exists()


def test_a_pool_of_which_nothing_is_known_is_told_so() -> None:
    pool = make_pool()
    status, problem = Person(pool.team)("POST", "simulations/", {"pool": pool.name})
    assert (status, problem["errors"][0]["path"]) == (400, "pool")


def test_who_may_do_what() -> None:
    team = make_team()
    pool = make_pool(team)
    editor, viewer = Person(team, Role.EDITOR), Person(team, Role.VIEWER)
    stranger = Person(make_team(), Role.ADMIN)
    made = start(editor)
    address = f"simulations/{made['id']}/"
    assert viewer("POST", "simulations/", {"trace": TRACE})[0] == 403
    assert viewer("DELETE", address)[0] == 403
    assert viewer("GET", address)[0] == 200
    assert stranger("GET", address)[0] == 404
    assert stranger("DELETE", address)[0] == 404
    assert stranger("GET", "simulations/")[1]["results"] == []
    assert stranger("POST", "simulations/", {"pool": pool.name})[0] == 404
    assert editor("GET", "simulations/")[1]["results"][0]["id"] == made["id"]
    assert editor("GET", "simulations/?pool=other")[1]["results"] == []
    assert editor("DELETE", address)[0] == 204
    assert editor("GET", address)[0] == 404


def test_so_many_may_be_under_way_at_once() -> None:
    person = Person(make_team())
    for _ in range(simulations.MOST_UNFINISHED):
        start(person)
    assert person("POST", "simulations/", {"trace": TRACE})[0] == 409
    assert simulating.work_off() == simulations.MOST_UNFINISHED
    start(person)


def test_one_whose_process_died_goes_on_where_it_stood(sent: list[str]) -> None:
    person = Person(make_team())
    made = start(person)
    row = Simulation.objects.get()
    kept: dict[str, float | None] = {
        "slo_attainment": 0.25,
        "wait_p50": 1,
        "wait_p95": 1,
        "wait_p99": 1,
        "agent_seconds": 1,
        "cost": 1,
    }
    kept |= {"reversals_per_hour": 0, "scale_up_seconds": None, "scale_down_seconds": None}
    now = datetime.now(UTC)
    died = {"state": "running", "claim": uuid4(), "started_at": now, "outcomes": [kept, kept, kept]}
    Simulation.objects.filter(pk=row.pk).update(**died, claimed_until=now + timedelta(minutes=1))
    assert simulating.work_off() == 0, "somebody is at it"
    person("GET", f"simulations/{made['id']}/")
    assert len(sent) == 1
    Simulation.objects.filter(pk=row.pk).update(claimed_until=now - timedelta(seconds=1))
    assert person("GET", f"simulations/{made['id']}/")[1]["progress"]["done"] == 3
    assert len(sent) == 2, "whoever asks sends for another process"
    assert simulating.work_off() == 1
    balanced, fixed = person("GET", f"simulations/{made['id']}/")[1]["results"]
    assert balanced["slo_attainment"] == 0.25, "what was kept is not run again"
    assert fixed["slo_attainment"] > 0.25


def test_a_late_process_writes_nothing() -> None:
    start(Person(make_team()))
    now = datetime.now(UTC)
    late = simulating._take(uuid4(), now)
    assert late is not None
    Simulation.objects.filter(pk=late.pk).update(claim=uuid4())
    simulating.run(late)
    row = Simulation.objects.get()
    assert (row.state, row.outcomes) == ("running", [])


def test_one_that_takes_too_long_ends_with_a_sentence() -> None:
    person = Person(make_team())
    made = start(person)
    times = iter([NOW, NOW + timedelta(minutes=16), NOW + timedelta(minutes=16), NOW + timedelta(minutes=17)])
    row = simulating._take(uuid4(), next(times))
    assert row is not None
    simulating.run(row, lambda: next(times))
    done = person("GET", f"simulations/{made['id']}/")[1]
    assert (done["state"], done["results"]) == ("failed", None)
    assert "longer than 15 minutes" in done["error"]


def test_only_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulations, "KEPT", 2)
    person = Person(make_team())
    first = start(person)
    simulating.work_off()
    for _ in range(3):
        start(person)
        simulating.work_off()
    assert person("GET", f"simulations/{first['id']}/")[0] == 404
    assert Simulation.objects.count() == 3


def test_the_process_is_apart_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    class Process:
        def __init__(self, command: list[str], **_options: Any) -> None:
            started.append(command)

        def wait(self) -> int:
            return 0

    monkeypatch.setattr(subprocess, "Popen", Process)
    simulate()
    assert [command[-1] for command in started] == ["run_simulations"]
