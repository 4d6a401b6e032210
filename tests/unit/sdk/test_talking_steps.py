"""SDK steps in a real agent that ask and tell while they run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentainer_flow.sdk.bundling import make_bundle
from tests.unit.agent.running import Answer, RunningAgent, agent_in
from tests.unit.agent.talking import LEASE, Answerer, Store, Talking, pages
from tests.unit.sdk.talking_flow import Talking as Flow

BUNDLE = make_bundle(Flow)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with agent_in(Path(tmp_path_factory.mktemp("agent"))) as running:
        running.put(BUNDLE.content)
        yield running


def call(agent: RunningAgent, method: str, answerer: Answerer, **request: Any) -> Answer:
    runs = {"handler": f"{BUNDLE.module}:Talking.{method}", "bundle": BUNDLE.sha256}
    context = {"lease": LEASE, "run_id": "r", **request.pop("context", {})}
    return Talking(agent, {"runs": runs, "context": context, **request}).answered(answerer)


def test_a_step_has_the_runs_state(agent: RunningAgent) -> None:
    answer = call(agent, "count", Store(), input=None)
    assert answer.json == {"output": [1, 3, "default"]}
    assert answer.lines[0] == {"progress": {"value": 0.5, "message": "half"}, "item": 0}
    assert answer.lines[1] == {"metric": {"name": "rows", "value": 3.0, "item": 0}}


def test_an_async_step_awaits_it(agent: RunningAgent) -> None:
    answer = call(agent, "count_async", Store(), input=None)
    assert answer.json == {"output": [[1, 2, 3], {"n": 3}]}


def test_items_ask_for_themselves_and_know_the_params(agent: RunningAgent) -> None:
    store = Store()
    inputs = [{"item": 1}, {"item": 2, "params": {"of": "the input"}}]
    answer = call(agent, "each", store, inputs=inputs, context={"params": {"of": "the context"}})
    assert [line["call"]["item"] for line in answer.lines if "call" in line] == [0, 1]
    assert store.values == {"1": {"of": "the context"}, "2": {"of": "the input"}}


@pytest.mark.parametrize("method", ["total", "total_async"])
def test_a_reduce_step_takes_results_as_they_come(agent: RunningAgent, method: str) -> None:
    given: dict[str, Any] = {"results": None, "params": {}}
    answer = call(agent, method, pages(250, 100), input=given, context={"stream": "results"})
    assert answer.json == {"output": sum(range(250))}
    assert sum("call" in line for line in answer.lines) == 3


def test_without_a_stream_the_results_are_the_inputs(agent: RunningAgent) -> None:
    assert call(agent, "total", Store(), input={"results": [1, 2]}).json == {"output": 3}
