"""Runs, steps and the queue as Prometheus figures, read from the rows at each scrape.

`agentainer_runs_total` counts every end: also of runs that were deleted since, or taken up again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from django.db.models import Count
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from workflows.domain.states import RUN_FINAL, RunState, StepState
from workflows.models import Item, PastEnds, Run, Step
from workflows.selectors.health import live_executors


class WorkflowMetrics(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from self._runs()
        yield from self._steps()
        executors = GaugeMetricFamily("agentainer_executors", "Executors that report")
        executors.add_metric([], live_executors())
        yield executors

    def describe(self) -> list[Metric]:
        return []  # nothing is read at registration

    def _runs(self) -> Iterator[Metric]:
        rows = Run.objects.order_by().values_list("state").annotate(number=Count("id"))
        counts = Counter[str]()
        # In one statement: a run that is deleted meanwhile is counted once.
        for state, number in rows.union(PastEnds.objects.values_list("state", "number"), all=True):
            counts[state] += number
        finished = CounterMetricFamily("agentainer_runs", "Runs that have ended", labels=["state"])
        live = GaugeMetricFamily("agentainer_runs_live", "Runs that have not ended", labels=["state"])
        for state in RunState:
            family = finished if state in RUN_FINAL else live
            family.add_metric([state.value], counts[state.value])
        yield finished
        yield live

    def _steps(self) -> Iterator[Metric]:
        under_way = Run.objects.exclude(state__in=sorted(state.value for state in RUN_FINAL))
        counted = Step.objects.filter(run__in=under_way).values_list("state").annotate(number=Count("pk"))
        numbers = dict(counted.order_by())
        family = GaugeMetricFamily("agentainer_steps", "Steps of runs that have not ended", labels=["state"])
        for state in StepState:
            family.add_metric([state.value], numbers.get(state.value, 0))
        yield family
        live = [StepState.QUEUED, StepState.RUNNING]
        steps = Step.objects.filter(state__in=live, run__state=RunState.RUNNING).exclude(type="map")
        items = Item.objects.filter(state__in=live, step__run__state=RunState.RUNNING)
        depth = GaugeMetricFamily(
            "agentainer_queue_depth", "Steps and begun items that are queued or running", labels=["state"]
        )
        for state in live:
            depth.add_metric(
                [state.value], steps.filter(state=state).count() + items.filter(state=state).count()
            )
        yield depth
