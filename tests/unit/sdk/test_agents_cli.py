"""`aflow agent …`: what is sent, what is printed, and exit codes."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentainer_flow.cli import main
from agentainer_flow.client import WorkflowClient
from tests.unit.sdk.platform_twin import TOKEN, URL, problem

cli_main = importlib.import_module("agentainer_flow.cli.main")  # `cli.main` is the function of that name
WORKER = {"id": "id-1", "kind": "deployed", "name": "worker", "pool": None, "state": "running", "uses": 3}


class Platform:
    """Answers by "METHOD path", and remembers what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, httpx.Response | Callable[[httpx.Request], httpx.Response]] = {}
        self.asked: list[tuple[str, Any]] = []
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v1/")
        name = f"{request.method} {path}"
        self.requests.append(request)
        self.asked.append((name, json.loads(request.content) if request.content else None))
        answer = self.answers.get(name)
        if answer is None:
            return problem(404, "not_found", f"There is no {path}.")
        return answer(request) if callable(answer) else answer


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    made = Platform()
    transport = httpx.MockTransport(made)
    monkeypatch.setattr(cli_main, "WorkflowClient", partial(WorkflowClient, transport=transport))
    monkeypatch.setenv("AGENTAINER_URL", URL)
    monkeypatch.setenv("AGENTAINER_TOKEN", TOKEN)
    return made


def ok(body: Any, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=body, headers=headers)


def test_deploying_a_document(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Variables come from --var, then from the environment; others are the platform's to complain about."""
    text = (
        "kind: AgentDeployment\nspec: {name: worker, env: {A: '${FIRST}', B: '${SECOND}', C: '${NONE:-x}'}}\n"
    )
    file = tmp_path / "crew.yaml"
    file.write_text(text)
    monkeypatch.setenv("FIRST", "of the shell")
    monkeypatch.setenv("SECOND", "of the shell")
    monkeypatch.setenv("UNRELATED", "secret")
    platform.answers["POST agents/"] = ok({"results": [WORKER]}, 201)
    assert main(["agent", "deploy", str(file), "--var", "SECOND=given", "--replace"]) == 0
    sent = {"document": text, "variables": {"FIRST": "of the shell", "SECOND": "given"}}
    assert platform.asked == [("POST agents/", sent)]
    assert platform.requests[0].url.params["replace"] == "true"
    assert capsys.readouterr().out.startswith("worker is deployed;")
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main(["agent", "deploy", "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["name"] == "worker"


def test_deploying_one(platform: Platform) -> None:
    platform.answers["POST agents/"] = ok({"results": [WORKER]}, 201)
    given = [
        "--name",
        "worker",
        "--image",
        "w:1",
        "--env",
        "A=1=2",
        "--env",
        "B=",
        "--cpu",
        "500m",
        "--memory",
        "1Gi",
    ]
    assert main(["agent", "deploy", *given]) == 0
    assert platform.asked[0][1]["document"] == {
        "name": "worker",
        "image": "w:1",
        "env": {"A": "1=2", "B": ""},
        "resources": {"cpu": "500m", "memory": "1Gi"},
    }


@pytest.mark.parametrize(
    "arguments",
    [
        "deploy",
        "deploy file --name also",
        "deploy /no/such/file",
        "deploy --name a --env =x",
        "deploy --name a --env x",
        "logs worker --tail 0",
        "invoke worker --input {",
        "invoke worker --code /no/such/file",
        "explode worker",
    ],
)
def test_wrong_usage(platform: Platform, arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agent", *arguments.split()]) == 2
    assert capsys.readouterr().err.startswith("aflow: ")
    assert platform.asked == []


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        ("start", "worker is being started."),
        ("stop", "worker is being stopped; requests to it wait."),
        ("restart", "worker is being restarted."),
        ("pause", "worker is being paused; requests to it wait."),
        ("resume", "worker goes on."),
    ],
)
def test_acting(platform: Platform, verb: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    platform.answers[f"POST agents/worker/{verb}/"] = ok(WORKER, 202)
    assert main(["agent", verb, "worker"]) == 0
    assert capsys.readouterr().out.strip() == told
    assert main(["agent", verb, "worker", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == WORKER
    assert main(["agent", verb, "other"]) == 4
    assert "There is no" in capsys.readouterr().err


def test_looking(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    pooled = {"id": "id-2", "kind": "pooled", "pool": "python", "state": "idle", "uses": 1}
    page = {"results": [WORKER, pooled], "next": None, "previous": None}
    platform.answers["GET agents/"] = ok(page)
    assert main(["agent", "list"]) == 0
    heading, first, second = capsys.readouterr().out.splitlines()
    assert heading.split()[:4] == ["AGENT", "NAME", "POOL", "STATE"]
    assert first.split()[:4] == ["id-1", "worker", "-", "running"]
    assert second.split()[:4] == ["id-2", "-", "python", "idle"]
    assert main(["agent", "list", "--deployed"]) == 0
    assert platform.requests[-1].url.params["kind"] == "deployed"
    platform.answers["GET agents/worker/"] = ok({**WORKER, "problem": "It ended."})
    capsys.readouterr()
    assert main(["agent", "get", "worker"]) == 0
    assert "It ended." in capsys.readouterr().out
    platform.answers["GET agents/worker/metrics/"] = ok({"running": True, "cpu": 0.25, "memory": 1024})
    assert main(["agent", "metrics", "worker"]) == 0
    assert "0.25" in capsys.readouterr().out


def test_logs(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    def log(request: httpx.Request) -> httpx.Response:
        if request.url.params.get("follow") == "true":
            return httpx.Response(200, text="one\ntwo\nthree\n")
        return ok({"lines": ["one", "two"]})

    platform.answers["GET agents/worker/logs/"] = log
    assert main(["agent", "logs", "worker", "--tail", "2"]) == 0
    assert capsys.readouterr().out == "one\ntwo\n"
    assert platform.requests[-1].url.params["tail"] == "2"
    assert main(["agent", "logs", "-f", "worker"]) == 0
    assert capsys.readouterr().out == "one\ntwo\nthree\n"
    assert main(["agent", "logs", "-f", "other"]) == 4


def test_asking(platform: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = tmp_path / "square.py"
    code.write_text("def main(x): return x * x\n")
    platform.answers["POST agents/worker/invoke"] = ok({"output": 49})
    assert main(["agent", "invoke", "worker", "--input", '{"x": 7}', "--code", str(code)]) == 0
    assert platform.asked[-1][1] == {"input": {"x": 7}, "code": "def main(x): return x * x\n"}
    assert json.loads(capsys.readouterr().out) == {"output": 49}

    lines = '{"log": {"text": "hello"}}\n{"output": 1, "seconds": 0.1}\n'
    kind = {"Content-Type": "application/x-ndjson"}
    platform.answers["POST agents/worker/invoke"] = httpx.Response(200, text=lines, headers=kind)
    assert main(["agent", "invoke", "worker"]) == 0
    assert json.loads(capsys.readouterr().out)["output"] == 1

    waits = {"request_id": "r-1", "state": "pending", "detail": "worker is stopped."}
    headers = {"Location": "/x", "X-Agentainer-Request-ID": "r-1"}
    platform.answers["POST agents/worker/invoke"] = ok(waits, 202, **headers)
    assert main(["agent", "invoke", "worker", "--later"]) == 0
    assert platform.requests[-1].headers["prefer"] == "respond-async"
    assert capsys.readouterr().out == "Request r-1 waits: worker is stopped.\n"

    platform.answers["POST agents/worker/requests/r-1/replay/"] = ok({"output": 2})
    assert main(["agent", "replay", "worker", "r-1"]) == 0
    assert json.loads(capsys.readouterr().out) == {"output": 2}
    rows = {"results": [{"id": "r-1", "state": "completed", "method": "POST"}], "next": None}
    platform.answers["GET agents/worker/requests/"] = ok(rows)
    assert main(["agent", "requests", "worker", "--state", "completed"]) == 0
    assert "r-1" in capsys.readouterr().out


def test_an_agents_own_error_is_told_as_a_refusal(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.answers["POST agents/worker/invoke"] = problem(502, "request_interrupted", "It broke off.")
    assert main(["agent", "invoke", "worker"]) == 4
    assert "It broke off." in capsys.readouterr().err


def test_removing(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    platform.answers["DELETE agents/worker/"] = httpx.Response(204)
    assert main(["agent", "remove", "worker", "--volumes"]) == 0
    assert platform.requests[-1].url.params["volumes"] == "true"
    assert capsys.readouterr().out == "worker is removed.\n"
