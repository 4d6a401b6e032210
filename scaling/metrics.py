"""The scaler's figures for Prometheus, read at each scrape, so that every web process tells the same truth.

`agentainer_scaling_decisions_total` counts every evaluation, in Redis, hence from 0 again when Redis loses
its memory. Sizes are told by workflow: of the pools that it made, and the shared ones that it counts on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

import redis
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pools.facade import api as pools
from scaling.models import Budget
from scaling.selectors.budgets import figures, last_told
from scaling.selectors.counts import counted
from scaling.selectors.spend import Tally
from teams.facade import api as teams

PREFIX = "agentainer_scaling_"


class ScalingCollector(Collector):
    def describe(self) -> Iterable[Metric]:
        return ()  # nothing is read at registration

    def collect(self) -> Iterable[Metric]:
        decisions = CounterMetricFamily(
            PREFIX + "decisions", "Evaluations of pools, by what came of them", labels=["action", "reason"]
        )
        current = GaugeMetricFamily(
            PREFIX + "current_size", "Agents of the pools that a workflow uses", labels=["workflow"]
        )
        target = GaugeMetricFamily(PREFIX + "target_size", "Agents that they shall have", labels=["workflow"])
        try:
            for (action, reason), number in sorted(counted().items()):
                decisions.add_metric([action, reason], number)
            sizes, targets = Counter[tuple[int, str]](), Counter[tuple[int, str]]()
            for load in pools.load():
                for workflow in load.used_by:
                    sizes[load.team_id, workflow] += load.starting + load.idle + load.active
                    targets[load.team_id, workflow] += load.target_size
            slugs = teams.slugs_of(team for team, _ in targets)
            labels = teams.Labels((name, team, slugs[team]) for team, name in targets)
            for used in sorted(targets):
                current.add_metric([labels.of(*used)], sizes[used])
                target.add_metric([labels.of(*used)], targets[used])
        except (redis.RedisError, ConnectionError):
            pass  # without Redis there is no truth to tell; the families stand there empty
        return decisions, current, target, *budget_families()


def budget_families() -> list[Metric]:
    """Of each budget's present period, in its currency: from the ledger, as the API tells it."""
    labels = ["team", "scope", "target", "period"]
    families = {
        name: GaugeMetricFamily(f"agentainer_budget_{name}", text, labels=labels)
        for name, text in (
            ("limit", "What may be spent in this period"),
            ("spent", "What is spent of it"),
            ("reserved", "What calls that run may still cost"),
            ("forecast", "What will be spent at the period's end, if it goes on as lately"),
            ("waiting", "Calls that wait for the budget"),
        )
    }
    now, told, tally = datetime.now(UTC), last_told(), Tally()
    for row in Budget.objects.select_related("team").order_by("pk"):
        seen = figures(row, now, told.get(str(row.pk)), tally)
        values = (float(row.limit), seen.spent, seen.reserved, seen.forecast, seen.waiting)
        for family, value in zip(families.values(), values, strict=True):
            family.add_metric([row.team.slug, row.scope, row.target, row.period], value)
    return list(families.values())
