"""The pools' figures for Prometheus, read at each scrape, so that every web process tells the same truth.

`agentainer_pool_*` by the names and labels of the product's contract. What is a counter only rises:
- terminations, and number and sum of lifetimes, are kept in the database: they survive everything, also the
  pruning of ended agents and a pool that is deleted and made again;
- number and sum of waits, and failed checks, are counted in Redis, where they happen: they begin at 0 when
  Redis loses its memory or the pool is deleted, as Prometheus expects of a process that was restarted.
Quantiles are over moving windows: of the waits that ended in the last ten minutes (the last thousand of each
pool at most), and of the agents that ended within a day. A window without any tells none.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import redis
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pools.domain.quantiles import nearest_rank
from pools.leases.store import Leases
from pools.models import Agent, EndedAgents, Pool
from pools.selectors.pools import views
from teams.facade.api import Labels

QUANTILES = (0.5, 0.9, 0.99)
STARTUP_WINDOW = 300.0  # seconds; the gauge is the median of these
WAITS_WINDOW = 600.0  # seconds
LIFETIMES = timedelta(hours=24)
PREFIX = "agentainer_pool_"


class PoolCollector(Collector):
    def __init__(self, leases: Leases) -> None:
        self._leases = leases

    def describe(self) -> Iterable[Metric]:
        return ()  # nothing is read at registration

    def collect(self) -> Iterable[Metric]:
        pools = list(Pool.objects.filter(deleted_at__isnull=True).select_related("team"))
        ended = list(EndedAgents.objects.select_related("team").order_by("team_id", "pool_name", "reason"))
        labels = Labels(
            [
                *((pool.name, pool.team_id, pool.team.slug) for pool in pools),
                *((row.pool_name, row.team_id, row.team.slug) for row in ended),
            ]
        )
        yield from self._sizes(pools, labels)
        yield from self._waits(pools, labels)
        yield self._startup()
        yield self._terminations(ended, labels)
        yield self._lifetimes(ended, labels)
        yield from self._health(pools, labels)

    def _sizes(self, pools: Sequence[Pool], labels: Labels) -> Iterable[Metric]:
        size = GaugeMetricFamily(PREFIX + "size", "Agents by state", labels=["pool", "state"])
        utilization = GaugeMetricFamily(
            PREFIX + "utilization", "Active agents among those that are idle or active", labels=["pool"]
        )
        waiting = GaugeMetricFamily(PREFIX + "waiting", "Acquires in the queue", labels=["pool"])
        problem = GaugeMetricFamily(
            PREFIX + "problem",
            "1 while the pool cannot have the agents that it wants",
            labels=["pool", "kind"],
        )
        for view in views(pools, self._leases):
            label = labels.of(view.team_id, view.name)
            for state, number in view.states.items():
                size.add_metric([label, state], number)
            utilization.add_metric([label], view.utilization)
            waiting.add_metric([label], view.waiting)
            if view.problem_kind is not None:
                problem.add_metric([label, view.problem_kind], 1)
        return size, utilization, waiting, problem

    def _waits(self, pools: Sequence[Pool], labels: Labels) -> Iterable[Metric]:
        family = Metric(PREFIX + "wait_time_seconds", "Time from acquire to lease", "summary")
        oldest = GaugeMetricFamily(
            PREFIX + "oldest_wait_seconds", "For how long the first in the queue has waited", labels=["pool"]
        )
        ids = [pool.pk for pool in pools]
        try:
            waits, figures = self._leases.waits_ms(ids, WAITS_WINDOW), self._leases.figures(ids)
        except redis.RedisError:
            return family, oldest
        for pool in pools:
            label = labels.of(pool.team_id, pool.name)
            seconds = [wait / 1000 for wait in waits[pool.pk]]
            _add_summary(family, label, seconds, figures[pool.pk].wait_ms / 1000, figures[pool.pk].wait_count)
            oldest.add_metric([label], figures[pool.pk].oldest_ms / 1000)
        return family, oldest

    def _startup(self) -> Metric:
        family = GaugeMetricFamily(
            "agentainer_task_startup_time_seconds",
            "Median of the last five minutes, until an agent's body runs",
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

    def _terminations(self, ended: Sequence[EndedAgents], labels: Labels) -> Metric:
        family = CounterMetricFamily(
            PREFIX + "agent_terminations", "Agents that ended, by reason", labels=["pool", "reason"]
        )
        for row in ended:
            family.add_metric([labels.of(row.team_id, row.pool_name), row.reason], row.number)
        return family

    def _lifetimes(self, ended: Sequence[EndedAgents], labels: Labels) -> Metric:
        family = Metric(PREFIX + "agent_lifetime_seconds", "Age of agents at their end", "summary")
        since = datetime.now(UTC) - LIFETIMES
        recent: dict[tuple[int, str], list[float]] = defaultdict(list)
        rows = Agent.objects.filter(ended_at__gte=since)
        for team_id, name, start, end in rows.values_list("team_id", "pool_name", "started_at", "ended_at"):
            if end is not None:
                recent[team_id, name].append((end - start).total_seconds())
        by_pool: dict[tuple[int, str], list[EndedAgents]] = defaultdict(list)
        for row in ended:
            by_pool[row.team_id, row.pool_name].append(row)
        for pool, reasons in by_pool.items():
            seconds, number = sum(row.seconds for row in reasons), sum(row.number for row in reasons)
            _add_summary(family, labels.of(*pool), recent[pool], seconds, number)
        return family

    def _health(self, pools: Sequence[Pool], labels: Labels) -> Iterable[Metric]:
        failures = CounterMetricFamily(
            PREFIX + "agent_health_failures", "Failed checks before reuse", labels=["pool", "reason"]
        )
        checks = CounterMetricFamily(
            PREFIX + "agent_health_checks", "Checks before reuse, failed ones too", labels=["pool"]
        )
        keys = self._leases.keys
        for pool in pools:
            label = labels.of(pool.team_id, pool.name)
            try:
                counts = self._leases.client.hgetall(keys.pool(pool.pk, "health_failures"))
                number: Any = self._leases.client.get(keys.pool(pool.pk, "health_checks"))
            except redis.RedisError:
                break
            checks.add_metric([label], int(number or 0))
            for reason, count in counts.items():
                failures.add_metric([label, _text(reason)], int(count))
        return failures, checks


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _add_summary(family: Metric, pool: str, recent: Sequence[float], total: float, number: int) -> None:
    """Quantiles of the `recent` values, in seconds; `total` and `number` of all that ever were."""
    for share in QUANTILES:
        value = nearest_rank(recent, share)
        if value is not None:
            family.add_sample(family.name, {"pool": pool, "quantile": str(share)}, value)
    family.add_sample(family.name + "_sum", {"pool": pool}, total)
    family.add_sample(family.name + "_count", {"pool": pool}, number)
