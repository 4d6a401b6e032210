"""The command line beside workflows and runs: export as Python, progress, top, login, triggers."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentainer_flow.cli import main
from agentainer_flow.cli.watching import progress_lines, wait_watching
from agentainer_flow.client import WorkflowClient
from tests.unit.sdk.platform_twin import TOKEN, URL, PlatformTwin

cli_main = importlib.import_module("agentainer_flow.cli.main")
DOCUMENT = {"name": "hello", "steps": [{"id": "a", "type": "task", "run": {"code": "def main(): ..."}}]}
POOL = {"name": "p", "min_size": 1, "max_size": 4}


class Answers:
    """Answers by path; keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.by_path: dict[str, Any] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response | None:
        path = request.url.path.removeprefix("/api/v1/")
        if path not in self.by_path:
            return None
        body = json.loads(request.content) if request.content else None
        self.asked.append((request.method, path, body))
        return httpx.Response(200, json=self.by_path[path])


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch) -> PlatformTwin:
    made = PlatformTwin()
    made.trouble = Answers()
    for module in ("main", "access"):
        where = importlib.import_module(f"agentainer_flow.cli.{module}")
        monkeypatch.setattr(where, "WorkflowClient", partial(WorkflowClient, transport=made.transport))
    monkeypatch.setenv("AGENTAINER_URL", URL)
    monkeypatch.setenv("AGENTAINER_TOKEN", TOKEN)
    return made


@pytest.fixture
def answers(twin: PlatformTwin) -> Answers:
    assert isinstance(twin.trouble, Answers)
    return twin.trouble


@pytest.mark.usefixtures("twin")
def test_export_as_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "hello.json"
    file.write_text(json.dumps(DOCUMENT))
    assert main(["workflow", "create", str(file)]) == 0
    capsys.readouterr()
    assert main(["workflow", "export", "hello", "--python"]) == 0
    text = capsys.readouterr().out
    assert "class Hello:" in text
    assert main(["workflow", "export", "hello"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "hello"


def test_export_as_yaml(twin: PlatformTwin, capsys: pytest.CaptureFixture[str]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path.endswith("/workflows/hello/export/")
        assert request.url.params["version"] == "3"
        return httpx.Response(200, text="name: hello\n")

    twin.trouble = answer
    assert main(["workflow", "export", "hello", "--yaml", "--version", "3"]) == 0
    assert capsys.readouterr().out == "name: hello\n"


def test_pools_triggers_and_secrets(
    answers: Answers, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.by_path = {
        "pools/": POOL,
        **{f"pools/p/{verb}/": POOL for verb in ("warm", "drain", "resume", "recycle")},
        "triggers/": {"id": "t", "name": "daily", "secret": "s3cret"},
        "triggers/t/": {"id": "t"},
        "triggers/t/fire/": {},
        "secrets/KEY/": {"name": "KEY"},
        "workflows/w/diff/": {"steps": []},
    }
    monkeypatch.setattr("sys.stdin", io.StringIO("value\n"))
    for words in (
        "pool create p --min 1 --max 4",
        "pool warm p 2",
        "pool drain p --within 5",
        "pool resume p",
        "pool recycle p",
        "trigger create w daily --cron * ",
        "trigger fire t",
        "trigger disable t",
        "secret set KEY",
        "workflow diff w 1 2",
    ):
        assert main(words.split()) == 0, words
    assert ("POST", "pools/", {"name": "p", "min_size": 1, "max_size": 4}) in answers.asked
    assert ("POST", "pools/p/drain/", {"within": 5.0}) in answers.asked
    assert ("PATCH", "triggers/t/", {"enabled": False}) in answers.asked
    assert ("PUT", "secrets/KEY/", {"value": "value"}) in answers.asked
    assert answers.asked[5][2]["config"] == {"cron": "*"}
    assert "s3cret" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    ["pool delete p", "trigger delete t", "secret delete KEY", "budget delete b", "agent remove a"],
)
def test_what_has_no_answer_is_null_for_programs(
    twin: PlatformTwin, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    twin.trouble = lambda request: httpx.Response(204) if request.method == "DELETE" else None
    assert main([*words.split(), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) is None
    assert main(words.split()) == 0
    assert words.split()[2] in capsys.readouterr().out


BUDGET = {"id": "b", "scope": "pool", "target": "python", "period": "day", "limit": "5.00", "currency": "USD"}


def test_budgets(answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    told = {**BUDGET, "mode": "enforce", "state": "ok", "spent": "1.25", "reserved": "0", "forecast": "2.5"}
    answers.by_path = {"budgets/": {**told, "results": [told], "next": None}, "budgets/b/": told}
    create = [
        "budget",
        "create",
        "pool",
        "5.00",
        "--target",
        "python",
        "--period",
        "day",
        "--mode",
        "enforce",
    ]
    assert main(create) == 0
    assert main(["budget", "set", "b", "--limit", "7.5", "--timezone", "Europe/Berlin"]) == 0
    assert main(["budget", "list", "--scope", "pool"]) == 0
    assert main(["budget", "get", "b"]) == 0
    assert main(["budget", "delete", "b"]) == 0
    wanted = {"scope": "pool", "limit": "5.00", "period": "day", "target": "python", "mode": "enforce"}
    assert answers.asked == [
        ("POST", "budgets/", wanted),
        ("PATCH", "budgets/b/", {"limit": "7.5", "timezone": "Europe/Berlin"}),
        ("GET", "budgets/", None),
        ("GET", "budgets/b/", None),
        ("DELETE", "budgets/b/", None),
    ]
    assert "1.25" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["create", "team", "5", "--target", "x"], "A budget of a team has no --target."),
        (["create", "pool", "5"], "Say which pool: --target NAME."),
        (["create", "agent", "5"], "the scope is one of team, pool, workflow, not agent."),
        (["create", "team", "5", "--period", "week"], "--period is one of hour, day, month, not week."),
        (["set", "b"], "Say what to set"),
    ],
)
@pytest.mark.usefixtures("twin")
def test_budgets_that_say_nonsense(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["budget", *words]) == 2
    assert says in capsys.readouterr().err


def test_top_once(answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    spent = {"currency": "USD", "lines": [{"name": "python", "cost": "1234.5000"}]}
    answers.by_path = {"runs/": {"results": [], "next": None}, "spend/": spent}
    assert main(["top", "--once"]) == 0
    printed = capsys.readouterr().out
    assert "1,234.50 USD" in printed
    assert "python" in printed
    assert "No run is under way." in printed


@pytest.mark.usefixtures("twin")
def test_login_writes_a_file_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert main(["login", "--url", URL, "--token", "wrong"]) == 3
    file = tmp_path / "agentainer" / "config.json"
    assert not file.exists()
    assert main(["login", "--url", URL, "--token", TOKEN]) == 0
    assert json.loads(file.read_text()) == {"url": URL, "token": TOKEN}
    assert file.stat().st_mode & 0o777 == 0o600
    assert TOKEN not in capsys.readouterr().out
    assert main(["login", "--url", URL, "--token", TOKEN, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"url": URL, "file": str(file)}


def test_completion_completes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    asks = 'COMP_WORDS=(aflow workflow ex); COMP_CWORD=2; _aflow; echo "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", script + asks], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "export"


def test_steps_with_items_have_a_bar() -> None:
    counts = {"total": 10, "completed": 5, "failed": 1, "running": 2}
    steps: list[dict[str, Any]] = [
        {"id": "list", "state": "completed"},
        {"id": "count", "state": "running", "counts": counts},
        {"id": "ok", "state": "waiting", "counts": {"total": 0}},
    ]
    bar, plain = progress_lines(steps)
    assert bar == "count  " + "█" * 14 + "░" * 10 + "  5 of 10, 1 failed"
    assert plain == "ok  waiting"


def test_a_terminal_sees_the_progress_go_by() -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    twin = PlatformTwin()
    twin.looks = 8

    def steps(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/steps/"):
            return None
        counts = {"total": 4, "completed": 1, "failed": 0}
        return httpx.Response(200, json={"results": [{"id": "m", "state": "running", "counts": counts}]})

    twin.trouble = steps
    with WorkflowClient(URL, TOKEN, transport=twin.transport) as client:
        client.create_workflow(DOCUMENT)
        from agentainer_flow import ExecutionMode

        screen = Screen()
        run = wait_watching(client.run("hello", mode=ExecutionMode.ASYNC), 60, screen)
    assert run.ended
    assert "1 of 4" in screen.getvalue()
