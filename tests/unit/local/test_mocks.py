"""Mocks stand in for agents of images: by name, with answers, failures and delays in order."""

from __future__ import annotations

from typing import Any

import pytest

from agentainer_flow import Context, DefinitionError, RetryPolicy, mapreduce, step, workflow
from agentainer_flow.testing import mock_agent, run_workflow_locally

LIST = {"type": "object", "properties": {"items": {"type": "array", "default": [1, 2, 3]}}}


@workflow(params=LIST)
class Images:
    @step(image="team/fetcher:1.2", retry_policy=RetryPolicy(3, delay="10m"), timeout="5s")
    def fetch(self, ctx: Context) -> None: ...

    @mapreduce(mapper="processor:latest", reducer="aggregator", batch_size=2, depends_on=[fetch])
    def work(self, ctx: Context, items: list[int]) -> dict[str, Any]:
        return {"items": items}


def test_images_are_asked_as_on_the_platform() -> None:
    with (
        mock_agent("team/fetcher").returns({"rows": 3}) as fetcher,
        mock_agent("processor:*").does(lambda given: [10 * item for item in given["items"]]) as processor,
        mock_agent("aggregator").does(lambda given: sum(given["results"])) as aggregator,
    ):
        run = run_workflow_locally(Images)
    assert run.result() == 60
    assert [call.input for call in fetcher.calls] == [{"items": [1, 2, 3]}]
    assert sorted(str(call.input) for call in processor.calls) == ["{'items': [1, 2]}", "{'items': [3]}"]
    aggregator.assert_called_with({"results": [10, 20, 30]})
    fetcher.assert_called_times(1)
    fetcher.assert_called()


def test_answers_come_in_order_and_retries_meet_them() -> None:
    fetcher = mock_agent("*/fetcher").fails("agent_lost", times=1).raises(OSError("away")).returns("here")
    others = mock_agent("*").returns([1, 2], [3]).returns(6)
    run = run_workflow_locally(Images, agents=[others, fetcher])
    assert run.step("fetch")["output"] == "here"
    assert run.step("fetch")["attempts"] == 3
    assert [call.attempt for call in fetcher.calls] == [1, 2, 3]
    assert run.result() == 6


def test_a_late_answer_is_a_time_out_and_takes_no_time_here() -> None:
    with mock_agent("*").returns([]), mock_agent("team/fetcher").delays("1h").returns(1):
        run = run_workflow_locally(Images)
    assert run.error is not None
    assert (run.error["step"], run.error["type"]) == ("fetch", "timeout")
    assert run.step("fetch")["attempts"] == 3


def test_an_image_without_a_mock_is_told() -> None:
    run = run_workflow_locally(Images)
    assert run.error is not None
    assert run.error["type"] == "no_agent"
    assert 'mock_agent("team/fetcher:1.2").returns(…)' in run.error["message"]


def test_a_mock_that_is_asked_too_often_says_so() -> None:
    with mock_agent("team/fetcher").returns(1, times=1) as fetcher:
        fetcher._answers[0].times = 1
        first = run_workflow_locally(Images)
        second = run_workflow_locally(Images)
    assert first.step("fetch")["output"] == 1
    assert second.error is not None
    assert "more often" in second.error["message"]


def test_a_batch_needs_an_answer_for_each_item() -> None:
    with mock_agent("team/fetcher").returns(1), mock_agent("processor").returns([1]):
        run = run_workflow_locally(Images)
    assert "to be a list of 2" in run.items("work")[0]["error"]["message"]


def test_mocks_are_there_for_their_block_and_the_last_told_answers() -> None:
    with mock_agent("team/*").returns("outer"):
        with mock_agent("team/fetcher").returns("inner"):
            assert run_workflow_locally(Images).step("fetch")["output"] == "inner"
        assert run_workflow_locally(Images).step("fetch")["output"] == "outer"
    assert run_workflow_locally(Images).step("fetch")["state"] == "failed"


def test_what_makes_no_sense_is_told_at_once() -> None:
    with pytest.raises(DefinitionError, match="image or an agent's name"):
        mock_agent("")
    with pytest.raises(DefinitionError, match="times is 1 or more"):
        mock_agent("a").returns(1, times=0)
    with pytest.raises(TypeError):
        mock_agent("a").returns(object())


@pytest.mark.parametrize("output", [{1}, float("nan"), b""])
def test_an_output_that_is_no_json_is_told_at_once(output: Any) -> None:
    with pytest.raises(DefinitionError, match=r"mock_agent\('a'\): what it returns must be JSON"):
        mock_agent("a").returns(output)
