"""A bundled class runs in a real agent: the compiler's inputs reach the methods, with their context."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentainer_flow import Context, mapreduce
from agentainer_flow.sdk.bundling import make_bundle
from agentainer_flow.sdk.steps import MARK
from tests.unit.agent.running import Answer, RunningAgent
from tests.unit.sdk.every_step import EveryStep
from tests.unit.sdk.sample_flow import Sample

CONTEXT = {"run_id": "run-1", "step_id": "s", "item_index": None, "attempt": 1}
BUNDLE = make_bundle(Sample)
Call = Callable[..., Any]


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    running = RunningAgent(Path(tmp_path_factory.mktemp("agent")))
    running.put(BUNDLE.content)
    yield running
    running.process.terminate()
    running.process.communicate(timeout=10)


def call(agent: RunningAgent, method: str, **request: Any) -> Answer:
    runs = {"handler": f"{BUNDLE.module}:Sample.{method}", "bundle": BUNDLE.sha256}
    return agent.post("/invoke", {"runs": runs, "context": CONTEXT, **request})


def output(agent: RunningAgent, method: str, given: Any, **more: Any) -> Any:
    answer = call(agent, method, input=given, **more).json
    assert "output" in answer, answer
    return answer["output"]


def test_a_plain_step_gets_its_parameters_and_logs(agent: RunningAgent) -> None:
    answer = call(agent, "numbers", input={"size": 2, "params": {"size": 2}})
    assert answer.json == {"output": [0, 10]}
    assert [(log["stream"], log["text"]) for log in answer.logs] == [("log", "size 2")]


def test_an_optional_param_comes_out_of_the_params(agent: RunningAgent) -> None:
    assert output(agent, "numbers", {"size": 2, "params": {"size": 2, "factor": 5}}) == [0, 5]


def test_a_parallel_step_gets_its_item(agent: RunningAgent) -> None:
    context = {**CONTEXT, "item_index": 7, "attempt": 2}
    found = output(agent, "squares", {"item": 3, "params": {"size": 1}}, context=context)
    assert found == {"square": 9, "index": 7, "attempt": 2, "params": {"size": 1}}


def test_each_item_of_a_batch_knows_its_index(agent: RunningAgent) -> None:
    items = [{"item": number, "params": {}} for number in range(3)]
    context = {**CONTEXT, "item_index": 4, "item_indexes": [4, 6, 9]}
    outputs = call(agent, "squares", inputs=items, context=context).json["outputs"]
    assert [(one["output"]["square"], one["output"]["index"]) for one in outputs] == [(0, 4), (1, 6), (4, 9)]


def test_a_reduce_step_gets_the_results(agent: RunningAgent) -> None:
    assert output(agent, "total", {"results": [{"square": 1}, {"square": 4}], "params": {}}) == 5


def test_a_step_gets_the_outputs_of_others_and_one_object_serves_all(agent: RunningAgent) -> None:
    given = {"total": 5, "numbers": [1], "params": {"factor": 3}}
    found = output(agent, "report", given)
    assert found["calls"] >= 2
    assert {**found, "calls": 0} == {"total": 5, "numbers": [1], "factor": 3, "run": "run-1", "calls": 0}


def test_a_step_without_parameters_has_ctx_input(agent: RunningAgent) -> None:
    assert output(agent, "look", {"input": {"total": 1}, "params": {}}) == {"total": 1}
    assert output(agent, "look", {"params": {"size": 3}}) == {"size": 3}


def test_a_method_that_is_no_step_is_called_with_the_context_and_the_input(agent: RunningAgent) -> None:
    assert output(agent, "helper", {"value": 1}) == 2
    assert output(agent, "helper", 4) == 5


def test_an_unknown_method_is_told(agent: RunningAgent) -> None:
    error = call(agent, "nothing", input=None).error
    assert "has no Sample.nothing" in error["message"]


# --- mapreduce and filled parameters ----------------------------------------------------------------------

EVERY = make_bundle(EveryStep)


@pytest.fixture
def every(agent: RunningAgent) -> Call:
    agent.put(EVERY.content)

    def call(target: str, given: Any, **more: Any) -> Any:
        runs = {"handler": f"{EVERY.module}:{target}", "bundle": EVERY.sha256}
        context = {**CONTEXT, "params": {"root": "/x"}, **more}
        return agent.post("/invoke", {"runs": runs, "context": context, "input": given}).json

    return call


def test_mappers_and_reducers_may_be_functions_and_methods(every: Call) -> None:
    assert every("measure", {"file": "abc"})["output"] == 5
    assert every("add", {"results": [1, 2]})["output"] == 3
    assert every("EveryStep.length", {"item": "abc"})["output"] == 3
    assert every("EveryStep.total", {"results": [1, 2]})["output"] == {"total": 3, "root": "/x"}


def test_a_method_under_mapreduce_lists_the_items(every: Call) -> None:
    assert every("EveryStep.small", {"files": ["a"]})["output"] == {"items": ["a"]}
    error = every("EveryStep.small", {"files": "a"})["error"]
    assert (error["type"], error["message"]) == (
        "TypeError",
        'step small must return {"items": […]} or {"source": …}, not keys [\'items\'].',
    )


def test_parameters_of_a_parallel_step_are_filled_beside_its_item(every: Call) -> None:
    assert every("EveryStep.each", {"item": "a", "root": "/y/", "params": {}})["output"] == "/y/a"


def test_a_step_in_a_loop_gets_item_and_index(every: Call) -> None:
    assert every("EveryStep.improve", {"item": 3, "index": 1})["output"] == {"item": 3, "index": 1}


def test_a_source_takes_the_place_of_the_items() -> None:
    async def listing(self: Any, ctx: Any) -> dict[str, Any]:
        return {"source": "s3://bucket", "batch_size": 10}

    made: Any = mapreduce(mapper="m:1")(listing)
    output = asyncio.run(getattr(made, MARK).call(None, Context(), {}))
    assert output == {"items": {"source": "s3://bucket", "batch_size": 10}}


def test_a_relative_source_belongs_to_the_bundle_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def listing(self: Any, ctx: Any) -> dict[str, Any]:
        return {"source": "data/a.csv"}

    made: Any = mapreduce(mapper="m:1")(listing)
    monkeypatch.syspath_prepend(f"/bundles/{'a' * 64}")
    output = getattr(made, MARK).call(None, Context(), {})
    assert output == {"items": {"source": "data/a.csv", "bundle": "a" * 64}}
