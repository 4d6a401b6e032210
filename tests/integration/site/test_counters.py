"""Counters of /metrics only rise, whatever becomes of the rows, and names that two teams have stay apart."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from pools.facade import site
from pools.leases.store import Leases
from pools.models import PoolUse
from pools.services.lease_rules import rules_of
from tests.factories.pools import make_pool, make_team
from tests.integration.site.test_probes import samples
from tests.integration.workflows.harness import make_run, task
from workflows.models import Run, Step
from workflows.services.retention import tidy
from workflows.services.retrying import retry_run

pytestmark = pytest.mark.django_db(transaction=True)


def ended(state: str, number: int, days: int = 0) -> None:
    for _ in range(number):
        run_id = make_run(task("a"))
        Run.objects.filter(pk=run_id).update(state=state, finished_at=timezone.now() - timedelta(days=days))
        Step.objects.filter(run=run_id).update(state=state)


def runs(state: str) -> float:
    return samples()[f"agentainer_runs_total[('state', '{state}')]"]


def test_a_deleted_run_has_ended_all_the_same() -> None:
    ended("completed", 3, days=400)
    ended("completed", 2)
    ended("failed", 1, days=400)
    assert (runs("completed"), runs("failed")) == (5, 1)
    while tidy(timezone.now(), 10.0):
        pass
    assert Run.objects.count() == 2
    assert (runs("completed"), runs("failed")) == (5, 1)


def test_a_run_that_is_taken_up_again_had_failed_once() -> None:
    ended("failed", 2)
    retry_run(Run.objects.first(), author="ann")  # type: ignore[arg-type]
    assert runs("failed") == 2
    Run.objects.filter(state="pending").update(state="completed", finished_at=timezone.now())
    assert (runs("failed"), runs("completed")) == (2, 1)


def test_steps_by_state_of_what_is_under_way() -> None:
    ended("completed", 1)
    for state in ("queued", "running", "running"):
        run_id = make_run(task("a"), task("b"))
        Run.objects.filter(pk=run_id).update(state="running")
        Step.objects.filter(run=run_id, key="a").update(state=state)
    found = samples()
    told = {
        state: found[f"agentainer_steps[('state', '{state}')]"] for state in ("pending", "queued", "running")
    }
    assert told == {"pending": 3, "queued": 1, "running": 2}
    assert found["agentainer_steps[('state', 'completed')]"] == 0


def test_workflows_of_one_name_in_two_teams() -> None:
    leases = Leases(site.redis_client(), site.key_prefix())
    for size, team in enumerate((make_team(), make_team()), 1):
        pool = make_pool(team, workflow="nightly", target_size=size)
        PoolUse.objects.create(team=team, pool=pool.name, workflow="nightly")
        leases.put_pool(pool.pk, rules_of(pool))
        found = samples()
        if size == 1:
            assert found["agentainer_scaling_target_size[('workflow', 'nightly')]"] == 1
        else:
            assert found[f"agentainer_scaling_target_size[('workflow', '{team.slug}/nightly')]"] == 2
    assert "agentainer_scaling_target_size[('workflow', 'nightly')]" not in found


def test_waits_of_long_ago_are_in_the_sum_and_in_no_quantile() -> None:
    pool = make_pool(name="quiet")
    leases = Leases(site.redis_client(), site.key_prefix())
    leases.put_pool(pool.pk, rules_of(pool))
    now = int(timezone.now().timestamp() * 1000)
    waits = [f"{wait}:{now}" for wait in range(10, 1010, 10)] + [f"90000:{now - 601_000}"] * 50
    leases.client.rpush(leases.keys.pool(pool.pk, "waits"), *waits)
    found = samples()
    name = "agentainer_pool_wait_time_seconds[('pool', 'quiet'), ('quantile', '{}')]"
    assert [found[name.format(share)] for share in (0.5, 0.9, 0.99)] == [0.5, 0.9, 0.99]
    leases.client.delete(leases.keys.pool(pool.pk, "waits"))
    leases.client.rpush(leases.keys.pool(pool.pk, "waits"), *waits[-50:])
    assert name.format(0.5) not in samples()
