"""The examples in Python on a whole platform: each is deployed with its bundle and run on real containers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentainer_flow import ExecutionMode, RunFailed, WorkflowClient, WorkflowExecution
from agentainer_flow.cli.loading import workflow_class_of
from agentainer_flow.errors import InvalidRequest
from tests.integration.containers.test_runs_on_containers import deploy, get, until
from tests.live_platform import LivePlatform

pytestmark = pytest.mark.docker

SECONDS = 90.0


@pytest.fixture
def client(platform: LivePlatform) -> Iterator[WorkflowClient]:
    with WorkflowClient(platform.url, platform.credentials["token"]) as client:
        yield client


def start(client: WorkflowClient, name: str, **params: Any) -> WorkflowExecution:
    example = workflow_class_of(Path("examples") / f"sdk_{name}.py")
    return client.run(example, params, mode=ExecutionMode.ASYNC)


def states(execution: WorkflowExecution) -> dict[str, str]:
    return {step["id"]: step["state"] for step in execution.steps()}


def test_a_parallel_step_and_its_results(client: WorkflowClient) -> None:
    output = start(client, "word_count", most=1).result(SECONDS)
    assert output == {"words": 23, "most_frequent": [{"word": "the", "count": 4}]}


def test_commands_do_the_work_of_methods(client: WorkflowClient) -> None:
    words = ["brown", "dog", "fox"]
    assert start(client, "sorted_words", text="fox! dog, brown fox").result(SECONDS) == {
        "words": words,
        "bytes_read": sum(len(f'"{word}"\n') for word in words),
    }


def test_a_saga_goes_forward_and_back(client: WorkflowClient) -> None:
    good = start(client, "book_trip")
    assert good.result(SECONDS) == {"receipt": "Your trip is booked.", "paid": 420}
    assert states(good)["insurance"] == "skipped"
    assert start(client, "book_trip", insured=True).result(SECONDS)["paid"] == 440
    bad = start(client, "book_trip", sold_out=True)
    with pytest.raises(RunFailed, match="the card was declined for 420"):
        bad.result(SECONDS)
    found = states(bad)
    assert (found["flight"], found["hotel"], found["pay"]) == ("compensated", "compensated", "failed")
    assert (found["cancel_flight"], found["cancel_hotel"], found["receipt"]) == ("completed",) * 3
    attempts = {step["id"]: step["attempts"] for step in bad.steps()}
    assert attempts["pay"] == 1, "only a TimeoutError is worth another attempt"


@pytest.mark.parametrize(("words", "way"), [(5, "keep"), (40, "shorten")])
def test_a_branch_a_loop_and_an_event(client: WorkflowClient, words: int, way: str) -> None:
    run = start(client, "route", text="word " * words, order=words)
    until(lambda: states(run)["go"] == "waiting")
    run.signal(f"go-{words}", {"to": "everybody"})
    output = run.result(SECONDS)
    assert (output["way"], output["to"], output["words"]) == (way, "everybody", min(words, 10))
    found = states(run)
    assert {found["keep"], found["shorten"]} == {"completed", "skipped"}
    lengths = run.values().get("lengths", [])
    assert lengths == sorted(lengths, reverse=True)
    assert len(lengths) == output["rounds"] == (0 if way == "keep" else 5)


def test_mapreduce_as_one_step(client: WorkflowClient) -> None:
    run = start(client, "common_words", modules=15)
    output = run.result(SECONDS)
    assert [len(entry["word"]) > 3 and entry["times"] > 0 for entry in output["words"]] == [True] * 10
    assert output["letters"] == sum(len(entry["word"]) for entry in output["words"])
    assert output["failed"] == 0
    counts = {step["id"]: step["counts"]["total"] for step in run.steps()}
    assert (counts["words"], counts["lengths"]) == (15, 10)


def test_a_streaming_reduce_tells_its_progress(platform: LivePlatform, client: WorkflowClient) -> None:
    run = start(client, "running_total", items=60)
    seen = until(lambda: (get(platform, f"runs/{run.id}/steps/total/")["progress"] or {}).get("seen"))
    assert seen < 60, "it told of its progress only at its end"
    assert get(platform, f"runs/{run.id}/steps/work/")["state"] == "running"
    assert run.result(SECONDS) == {"seen": 60, "total": sum(n * n for n in range(61))}


@pytest.mark.parametrize("approve", [True, False])
def test_a_person_decides_over_a_sub_workflow_s_report(
    platform: LivePlatform, client: WorkflowClient, approve: bool
) -> None:
    deploy(platform, yaml.safe_load(Path("examples/word-count.yaml").read_text()))
    run = start(client, "publish")
    until(lambda: run.state == "waiting", SECONDS)
    assert "Publish a report of 10 words?" in run.why("approve")["sentence"]
    if approve:
        with pytest.raises(InvalidRequest):
            run.decide("approve", approve=True, data={})
    run.decide("approve", approve=approve, data={"title": "Words"} if approve else None)
    output = run.result(SECONDS)
    found = states(run)
    if approve:
        assert output["archive"] is None
        assert output["publish"]["published"] == "Words"
        assert len(output["publish"]["lines"]) == 10
        assert (found["cool_off"], found["archive"]) == ("completed", "skipped")
    else:
        assert output == {"publish": None, "archive": {"published": None}}
        assert (found["cool_off"], found["publish"]) == ("skipped", "skipped")
