"""What a run will take, by what others took."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from pools.facade import api as pools
from pools.facade.contracts import PoolSpec
from teams.facade.contracts import Role
from tests.factories.members import Api, assert_problem, member
from tests.factories.workflows import CODE, make_workflow
from workflows.models import Run, Step, Workflow

pytestmark = pytest.mark.django_db(transaction=True)

STEPS: list[dict[str, Any]] = [
    {"id": "list", "type": "task", "run": CODE},
    {"id": "count", "type": "map", "needs": ["list"], "over": "${steps.list.output}", "run": CODE},
    {"id": "ask", "type": "approval", "needs": ["list"]},
]
NOW = timezone.now()


@pytest.fixture
def api() -> Api:
    return member(Role.VIEWER)


@pytest.fixture
def workflow(api: Api) -> Workflow:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    return make_workflow(api.team, "w", steps=STEPS, params=schema)


def completed(workflow: Workflow, steps: dict[str, dict[str, Any]], **values: Any) -> Run:
    """A run of which each step took so many `seconds`, from its start on."""
    seconds = max((step.get("seconds") or 0 for step in steps.values()), default=0)
    version = workflow.versions.get(number=workflow.version)
    run = Run.objects.create(
        team_id=workflow.team_id,
        workflow=workflow,
        version=version,
        **{
            "state": "completed",
            "started_at": NOW,
            "finished_at": NOW + timedelta(seconds=seconds),
            **values,
        },
    )
    types = {step["id"]: step["type"] for step in STEPS}
    for place, (key, fields) in enumerate(steps.items()):
        took = fields.pop("seconds", None)
        Step.objects.create(
            run=run,
            key=key,
            position=place,
            started_at=NOW if took is not None else None,
            finished_at=NOW + timedelta(seconds=took) if took is not None else None,
            **{"type": types.get(key, "task"), "state": "completed", "attempts": 1, **fields},
        )
    return run


def estimate(api: Api, body: Any = None) -> dict[str, Any]:
    answer = api("POST", "workflows/w/estimate/", body)
    assert answer.status_code == 200, answer.content
    told: dict[str, Any] = answer.json()
    return told


def test_without_history_there_is_nothing_to_tell(api: Api, workflow: Workflow) -> None:
    told = estimate(api)
    assert (told["runs_considered"], told["duration_ms"], told["agent_seconds"]) == (0, None, None)
    assert "No run" in told["reason"]
    assert [step["duration_ms"] for step in told["steps"]] == [None, None, None]
    assert all(step["reason"] for step in told["steps"])
    assert told["cost"] is None


def test_time_and_attempts_from_history(api: Api, workflow: Workflow) -> None:
    for seconds in (1, 2, 3):
        completed(
            workflow,
            {
                "list": {"seconds": seconds, "attempts": seconds},
                "count": {"seconds": 10 * seconds, "total": 100, "usage": {"busy_ms": 25_000}},
                "ask": {"seconds": None, "state": "skipped"},
            },
        )
    told = estimate(api)
    assert told["runs_considered"] == 3
    listed, counted, asked = told["steps"]
    assert listed["duration_ms"] == {"p50": 2000, "p95": 3000}
    assert listed["attempts"] == {"p50": 2, "p95": 3}
    assert (listed["items"], listed["agent_seconds"]) == (None, {"p50": 2, "p95": 3})
    assert (counted["items"], counted["agent_seconds"]) == (
        {"p50": 100, "p95": 100},
        {"p50": 25, "p95": 25},
    )
    assert (asked["samples"], asked["share"], asked["duration_ms"]) == (0, 0, None)
    assert told["duration_ms"] == {"p50": 22_000, "p95": 33_000}
    assert told["observed_ms"] == {"p50": 20_000, "p95": 30_000}
    assert told["agent_seconds"] == {"p50": 27, "p95": 28}
    assert told["critical_path"] == ["list", "count"]
    assert told["reason"] is None


def test_a_new_step_is_left_out_and_named(api: Api, workflow: Workflow) -> None:
    completed(workflow, {"list": {"seconds": 1}, "count": {"seconds": 1, "type": "task"}})
    told = estimate(api)
    assert told["duration_ms"] == {"p50": 1000, "p95": 1000}
    assert "count, ask" in told["reason"]  # a map that was a task is another step
    assert "No run" in told["steps"][1]["reason"]


def test_agents_of_a_map_bound_its_time(api: Api, workflow: Workflow) -> None:
    usage = {"leases": 3, "agents": {"x": 5, "y": 5}}
    completed(workflow, {"count": {"seconds": 4, "total": 10, "usage": usage}})
    assert estimate(api)["steps"][1]["agent_seconds"] == {"p50": 8, "p95": 8}


def test_what_runs_in_a_loop_counts_for_the_loop(api: Api) -> None:
    loop = {"id": "again", "type": "loop", "until": True, "steps": [{**STEPS[0], "id": "inner"}]}
    workflow = make_workflow(api.team, "w", steps=[loop])
    completed(
        workflow,
        {
            "again": {"seconds": 9, "type": "loop"},
            "again.0.inner": {"seconds": 2},
            "again.1.inner": {"seconds": 3},
        },
    )
    told = estimate(api)["steps"][0]
    assert (told["duration_ms"]["p50"], told["agent_seconds"]["p50"]) == (9000, 5)


def test_which_runs_count(api: Api, workflow: Workflow) -> None:
    for values in ({"state": "failed"}, {"state": "running"}, {"document": {"name": "w"}}):
        completed(workflow, {"list": {"seconds": 500}}, **values)
    other = make_workflow(api.team, "other", steps=STEPS)
    completed(other, {"list": {"seconds": 500}})
    assert estimate(api)["runs_considered"] == 0
    for n in range(55):
        run = completed(workflow, {"list": {"seconds": 500 if n < 5 else 1}})
        Run.objects.filter(pk=run.pk).update(created_at=NOW + timedelta(seconds=n))
    told = estimate(api)
    assert (told["runs_considered"], told["duration_ms"]["p95"]) == (50, 1000)


def test_versions_and_params(api: Api, workflow: Workflow) -> None:
    assert estimate(api, {"version": 1, "params": {"n": 2}})["version"] == 1
    assert_problem(api("POST", "workflows/w/estimate/", {"version": 2}), 404, "not_found")
    assert_problem(api("POST", "workflows/w/estimate/", {"params": {"n": "x"}}), 400, "invalid_params")
    assert_problem(api("POST", "workflows/w/estimate/", {"parms": {}}), 400, "invalid")
    assert_problem(member(Role.ADMIN, "strangers")("POST", "workflows/w/estimate/"), 404, "not_found")


def test_what_it_costs(api: Api, workflow: Workflow, settings: Any) -> None:
    """Agents' seconds by the price of an agent-hour in the pool; steps whose pool has none are left out."""
    settings.AFLOW_CURRENCY = "EUR"
    pools.create_pool(api.team.pk, PoolSpec("priced", price=7.2))
    pools.create_pool(api.team.pk, PoolSpec("free"))
    for seconds in (10, 20):
        usage = {"agents": [], "busy_ms": seconds * 1000}
        steps: dict[str, dict[str, Any]] = {
            "list": {"seconds": 3, "pool": "free"},
            "count": {"seconds": seconds, "pool": "priced", "usage": usage, "total": 5},
        }
        completed(workflow, steps)
    told = estimate(api)
    first, count, _ask = told["steps"]
    assert first["cost"] is None
    assert count["cost"] == {"p50": 0.02, "p95": 0.04}
    assert (told["cost"], told["currency"]) == ({"p50": 0.02, "p95": 0.04}, "EUR")
    pools.update_pool(api.team.pk, "priced", {"price": 3.6})
    assert estimate(api)["cost"] == {"p50": 0.01, "p95": 0.02}
