"""Deployed agents' figures for Prometheus, read at each scrape, so that every web process tells the same
truth: states, restarts and requests from the database, memory and CPU as the controller measured them last.

`agentainer_agent_*`, with the label `agent`. The CPU seconds begin at 0 with each container, as Prometheus
expects of what was restarted; requests are those that are kept, so their numbers fall when old ones go.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import redis
from django.db.models import Count
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pools.domain.deployments import DeployedState, Desired
from pools.domain.requests import RequestState
from pools.models import AgentRequest, DeployedAgent
from pools.selectors.readings import Readings
from teams.facade.api import Labels

log = logging.getLogger(__name__)

PREFIX = "agentainer_agent_"


class DeployedCollector(Collector):
    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def describe(self) -> Iterable[Metric]:
        return ()  # nothing is read at registration

    def collect(self) -> Iterable[Metric]:
        rows = DeployedAgent.objects.exclude(desired=Desired.REMOVED.value)
        agents = list(rows.select_related("team").order_by("pk"))
        labels = Labels((agent.name, agent.team_id, agent.team.slug) for agent in agents)
        yield self._states(agents, labels)
        yield self._restarts(agents, labels)
        yield from self._use(agents, labels)
        yield self._requests(agents, labels)

    def _states(self, agents: Sequence[DeployedAgent], labels: Labels) -> Metric:
        family = GaugeMetricFamily(
            PREFIX + "state", "1 for the state that a deployed agent is in", labels=["agent", "state"]
        )
        for agent in agents:
            for state in DeployedState:
                label = [labels.of(agent.team_id, agent.name), state.value]
                family.add_metric(label, float(agent.state == state.value))
        return family

    def _restarts(self, agents: Sequence[DeployedAgent], labels: Labels) -> Metric:
        family = CounterMetricFamily(
            PREFIX + "restarts", "Starts of a deployed agent that nobody asked for", labels=["agent"]
        )
        for agent in agents:
            family.add_metric([labels.of(agent.team_id, agent.name)], agent.restarts)
        return family

    def _use(self, agents: Sequence[DeployedAgent], labels: Labels) -> Iterable[Metric]:
        memory = GaugeMetricFamily(PREFIX + "memory_bytes", "In use by a deployed agent", labels=["agent"])
        cpu = CounterMetricFamily(
            PREFIX + "cpu_seconds", "Used by the container of a deployed agent", labels=["agent"]
        )
        try:
            readings = self._readings.read()
        except redis.RedisError as exc:
            log.warning("metrics are told without the use of deployed agents: %s", exc)
            readings = {}
        for agent in agents:
            reading = readings.get(agent.pk)
            if reading is not None and agent.state == DeployedState.RUNNING.value:
                label = [labels.of(agent.team_id, agent.name)]
                memory.add_metric(label, reading.memory)
                if reading.cpu_seconds is not None:
                    cpu.add_metric(label, reading.cpu_seconds)
        return memory, cpu

    def _requests(self, agents: Sequence[DeployedAgent], labels: Labels) -> Metric:
        family = GaugeMetricFamily(
            PREFIX + "requests", "Requests to a deployed agent that are kept", labels=["agent", "state"]
        )
        counted = (
            AgentRequest.objects.order_by().values_list("agent_id", "state").annotate(number=Count("pk"))
        )
        numbers = {(agent_id, state): number for agent_id, state, number in counted}
        for agent in agents:
            for state in RequestState:
                label = [labels.of(agent.team_id, agent.name), state.value]
                family.add_metric(label, numbers.get((agent.pk, state.value), 0))
        return family
