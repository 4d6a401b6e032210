"""A scrape in which every family of the platform has a sample."""

from __future__ import annotations

import time
from datetime import timedelta

from django.test import Client
from django.utils import timezone
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from pools.facade import site
from pools.leases.store import Leases
from pools.models import Agent, DeployedAgent, EndedAgents, PoolUse
from pools.selectors.readings import Reading, Readings
from pools.services.lease_rules import rules_of
from scaling.domain.decisions import Action, Reason
from scaling.selectors.counts import counters, counters_key
from tests.factories.pools import make_pool, make_team


def scrape() -> dict[str, Metric]:
    """The families by name."""
    return {
        family.name: family
        for family in text_string_to_metric_families(Client().get("/metrics").content.decode())
    }


def prepare() -> None:
    """One pool, one deployed agent and one workflow, of which everything that is told has happened."""
    team = make_team()
    pool = make_pool(team, name="python", workflow="nightly", target_size=2, problem_kind="creation")
    PoolUse.objects.create(team=team, pool=pool.name, workflow="nightly")
    ended = Agent(
        pool=pool, team=team, pool_name=pool.name, nonce="n", state="gone", end_reason="idle_timeout"
    )
    ended.started_at, ended.ended_at = timezone.now() - timedelta(seconds=60), timezone.now()
    ended.save()
    EndedAgents.objects.create(team=team, pool_name=pool.name, reason="idle_timeout", number=1, seconds=60.0)
    leases = Leases(site.redis_client(), site.key_prefix())
    leases.put_pool(pool.pk, rules_of(pool))
    keys, now = leases.keys, int(time.time() * 1000)
    leases.client.rpush(keys.pool(pool.pk, "waits"), f"12:{now}")
    leases.client.hset(keys.pool(pool.pk, "health_failures"), "timeout", "1")
    leases.client.set(keys.pool(pool.pk, "health_checks"), "100")
    for mode in ("cold", "pooled"):
        leases.client.rpush(keys.startup(mode), f"{now}:0.25")
    counters().hset(counters_key(), f"{Action.SCALE_UP}|{Reason.QUEUE_DEPTH}", "3")
    agent = DeployedAgent.objects.create(team=team, name="helper", image="i", state="running")
    Readings(site.redis_client(), site.key_prefix()).write({agent.pk: Reading(1024, 0.5)})
