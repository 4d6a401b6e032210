"""The pools' figures for Prometheus, read at each scrape, so that every web process tells the same truth.

`agentainer_pool_*` by the names and labels of the product's contract.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from uuid import UUID

import redis
from django.db.models import Count
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pools.domain.agents import AgentState
from pools.leases.store import Leases
from pools.models import Agent, Pool
from pools.selectors.pools import views
from pools.selectors.views import quantile

QUANTILES = (0.5, 0.9, 0.99)
STARTUP_WINDOW = 300.0  # seconds; the gauge is the median of these
LIFETIMES = timedelta(hours=24)
PREFIX = "agentainer_pool_"


class PoolCollector(Collector):
    """The label `pool` is its name, or `team/name` where two teams have a pool of that name."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases

    def describe(self) -> Iterable[Metric]:
        return ()  # nothing is read at registration

    def collect(self) -> Iterable[Metric]:
        pools = list(Pool.objects.filter(deleted_at__isnull=True).select_related("team"))
        labels = _labels(pools)
        yield from self._sizes(pools, labels)
        yield from self._waits(pools, labels)
        yield self._startup()
        yield self._terminations()
        yield self._lifetimes()
        yield self._health_failures(pools, labels)

    def _sizes(self, pools: Sequence[Pool], labels: dict[UUID, str]) -> Iterable[Metric]:
        size = GaugeMetricFamily(PREFIX + "size", "Agents by state", labels=["pool", "state"])
        utilization = GaugeMetricFamily(
            PREFIX + "utilization", "Active agents among those that are idle or active", labels=["pool"]
        )
        waiting = GaugeMetricFamily(PREFIX + "waiting", "Acquires in the queue", labels=["pool"])
        for view in views(pools, self._leases):
            for state, number in view.states.items():
                size.add_metric([labels[view.id], state], number)
            utilization.add_metric([labels[view.id]], view.utilization)
            waiting.add_metric([labels[view.id]], view.waiting)
        return size, utilization, waiting

    def _waits(self, pools: Sequence[Pool], labels: dict[UUID, str]) -> Iterable[Metric]:
        family = Metric(PREFIX + "wait_time_seconds", "Time from acquire to lease", "summary")
        ids = [pool.pk for pool in pools]
        try:
            waits, figures = self._leases.waits_ms(ids), self._leases.figures(ids)
        except redis.RedisError:
            return [family]
        for pool_id, values in waits.items():
            label = {"pool": labels[pool_id]}
            for share in QUANTILES:
                value = quantile(values, share)
                if value is not None:
                    family.add_sample(family.name, {**label, "quantile": str(share)}, value / 1000)
            family.add_sample(family.name + "_sum", label, figures[pool_id].wait_ms / 1000)
            family.add_sample(family.name + "_count", label, figures[pool_id].wait_count)
        return [family]

    def _startup(self) -> Metric:
        family = GaugeMetricFamily(
            "agentainer_task_startup_time_seconds",
            "Median of the last five minutes, until an agent's first byte",
            labels=["mode"],
        )
        since = (time.time() - STARTUP_WINDOW) * 1000
        for mode in ("cold", "pooled"):
            try:
                samples = self._leases.client.lrange(self._leases.keys.startup(mode), 0, -1)
            except redis.RedisError:
                continue
            pairs = (_text(sample).split(":") for sample in samples)
            values = [float(seconds) for at, seconds in pairs if float(at) >= since]
            if values:
                family.add_metric([mode], median(values))
        return family

    def _terminations(self) -> Metric:
        family = CounterMetricFamily(
            PREFIX + "agent_terminations", "Agents that ended, by reason", labels=["pool", "reason"]
        )
        ended = (
            Agent.objects.filter(state=AgentState.GONE.value)
            .values_list("pool_name", "end_reason")
            .annotate(number=Count("id"))
        )
        for pool, reason, number in ended.order_by("pool_name", "end_reason"):
            family.add_metric([pool, reason or "errors"], number)
        return family

    def _lifetimes(self) -> Metric:
        family = Metric(PREFIX + "agent_lifetime_seconds", "Age of agents at their end (one day)", "summary")
        since = datetime.now(UTC) - LIFETIMES
        lifetimes: dict[str, list[float]] = defaultdict(list)
        rows = Agent.objects.filter(ended_at__gte=since).values_list("pool_name", "started_at", "ended_at")
        for pool, started, ended in rows:
            if ended is not None:
                lifetimes[pool].append((ended - started).total_seconds())
        for pool, values in lifetimes.items():
            for share in QUANTILES:
                value = quantile(values, share)
                family.add_sample(family.name, {"pool": pool, "quantile": str(share)}, value or 0.0)
            family.add_sample(family.name + "_sum", {"pool": pool}, sum(values))
            family.add_sample(family.name + "_count", {"pool": pool}, len(values))
        return family

    def _health_failures(self, pools: Sequence[Pool], labels: dict[UUID, str]) -> Metric:
        family = CounterMetricFamily(
            PREFIX + "agent_health_failures", "Failed checks before reuse", labels=["pool", "reason"]
        )
        for pool in pools:
            try:
                counts = self._leases.client.hgetall(self._leases.keys.pool(pool.pk, "health_failures"))
            except redis.RedisError:
                break
            for reason, number in counts.items():
                family.add_metric([labels[pool.pk], _text(reason)], int(number))
        return family


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _labels(pools: Sequence[Pool]) -> dict[UUID, str]:
    names = [pool.name for pool in pools]
    return {
        pool.pk: pool.name if names.count(pool.name) == 1 else f"{pool.team.slug}/{pool.name}"
        for pool in pools
    }
