"""Runs, steps and the queue as Prometheus figures, read from the rows at each scrape."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from workflows.domain.states import RUN_FINAL, RunState, StepState
from workflows.models import Item, Run, Step
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
        counts = dict(Run.objects.values_list("state").annotate(count=Count("id")).order_by())
        finished = CounterMetricFamily("agentainer_runs", "Runs that have ended", labels=["state"])
        live = GaugeMetricFamily("agentainer_runs_live", "Runs that have not ended", labels=["state"])
        for state in RunState:
            family = finished if state in RUN_FINAL else live
            family.add_metric([state.value], counts.get(state.value, 0))
        yield finished
        yield live

    def _steps(self) -> Iterator[Metric]:
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
