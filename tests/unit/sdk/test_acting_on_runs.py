"""Pausing, retrying, deciding and asking why, from a program and from the command line."""

from __future__ import annotations

import importlib
import json
from functools import partial
from typing import Any

import pytest

from agentainer_flow import ExecutionMode
from agentainer_flow.cli import main
from agentainer_flow.client import WorkflowClient
from tests.unit.sdk.platform_twin import TOKEN, URL, PlatformTwin

cli_main = importlib.import_module("agentainer_flow.cli.main")  # `cli.main` is the function of that name

DOCUMENT = {"name": "hello", "steps": [{"id": "a"}]}


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch) -> PlatformTwin:
    """With one run, run-1, that goes on for long."""
    made = PlatformTwin()
    monkeypatch.setattr(cli_main, "WorkflowClient", partial(WorkflowClient, transport=made.transport))
    monkeypatch.setenv("AGENTAINER_URL", URL)
    monkeypatch.setenv("AGENTAINER_TOKEN", TOKEN)
    with WorkflowClient(transport=made.transport) as client:
        client.create_workflow(DOCUMENT)
        made.looks = 10**6
        client.run("hello", {"day": 1}, mode=ExecutionMode.ASYNC)
    return made


@pytest.mark.parametrize(
    ("arguments", "acts", "told"),
    [
        ("run cancel run-1", ("cancel", {}), "is being stopped"),
        ("run pause run-1", ("pause", {}), "starts nothing new"),
        ("run resume run-1", ("resume", {}), "goes on."),
        ("run retry run-1", ("retry", {}), "what did not complete"),
        ("run retry run-1 --version 2", ("retry", {"version": 2}), "Run run-2 has started"),
        ("run replay run-1", ("replay", {"params": {}, "version": None}), "Run run-2 has started"),
        (
            "run replay run-1 --param day=2 --version 3",
            ("replay", {"params": {"day": 2}, "version": 3}),
            "Run run-2 has started",
        ),
        (
            "run decide run-1 look --approve",
            ("steps/look/decide", {"approve": True, "data": None}),
            "look of run run-1 is approved",
        ),
        (
            'run decide run-1 look --reject --data {"because":"no"}',
            ("steps/look/decide", {"approve": False, "data": {"because": "no"}}),
            "is rejected",
        ),
        (
            'run signal run-1 paid --payload {"amount":3}',
            ("signal", {"name": "paid", "payload": {"amount": 3}}),
            "The event paid was sent",
        ),
    ],
)
def test_acting_on_a_run(
    twin: PlatformTwin, capsys: pytest.CaptureFixture[str], arguments: str, acts: Any, told: str
) -> None:
    assert main(arguments.split()) == 0
    assert twin.acts == [acts]
    assert told in capsys.readouterr().out
    assert main([*arguments.split(), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"].startswith("run-")


@pytest.mark.parametrize(
    ("arguments", "path", "query"),
    [
        ("run why run-1", "/api/v1/runs/run-1/why/", {}),
        ("run why run-1 --step a", "/api/v1/runs/run-1/steps/a/why/", {}),
        ("run why run-1 --step a --item 3", "/api/v1/runs/run-1/steps/a/why/", {"item": "3"}),
    ],
)
def test_asking_why(
    twin: PlatformTwin, capsys: pytest.CaptureFixture[str], arguments: str, path: str, query: dict[str, str]
) -> None:
    assert main(arguments.split()) == 0
    assert capsys.readouterr().out == "All agents are busy.\n"
    asked = twin.requests[-1].url
    assert (asked.path, dict(asked.params)) == (path, query)


def test_the_values_of_a_run(twin: PlatformTwin, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["workflow", "state", "run-1"]) == 0
    assert capsys.readouterr().out.split() == ["KEY", "VALUE", "seen", "3"]
    assert main(["workflow", "state", "run-1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"seen": 3}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("run decide run-1 look", "--approve"),
        ("run decide run-1 look --approve --reject", "not allowed with"),
        ("run decide run-1 look --approve --data {", "--data is no JSON"),
        ("run signal run-1 paid --payload {", "--payload is no JSON"),
        ("run why run-1 --item 3", "--step"),
        ("run replay run-1 --param day", "KEY=VALUE"),
    ],
)
def test_wrong_usage_asks_nothing_of_the_run(
    twin: PlatformTwin, capsys: pytest.CaptureFixture[str], arguments: str, sentence: str
) -> None:
    assert main(arguments.split()) == 2
    assert sentence in capsys.readouterr().err
    assert twin.acts == []


def test_a_retried_run_is_followed_again(twin: PlatformTwin) -> None:
    with WorkflowClient(transport=twin.transport) as client:
        execution = client.execution("run-1")
        twin.runs["run-1"]["state"] = "failed"
        assert execution.state == "failed"
        execution.retry()
        assert not execution.ended
        twin.runs["run-1"].update(state="completed", output=7)
        assert execution.result() == 7
