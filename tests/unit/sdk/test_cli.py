"""`aflow` as people and programs use it: what it prints, and its exit codes."""

from __future__ import annotations

import importlib
import io
import json
from functools import partial
from pathlib import Path

import pytest

from agentainer_flow import __version__
from agentainer_flow.cli import main
from agentainer_flow.client import WorkflowClient, requests
from tests.unit.sdk.platform_twin import TOKEN, URL, PlatformTwin

cli_main = importlib.import_module("agentainer_flow.cli.main")  # `cli.main` is the function of that name

DOCUMENT = """
name: "hello"  # a comment
steps:
  - {id: greet, type: task, run: {code: "def main(): return 1"}}
"""


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch) -> PlatformTwin:
    made = PlatformTwin()
    monkeypatch.setattr(requests, "PAUSES", (0.0,))
    monkeypatch.setattr(cli_main, "WorkflowClient", partial(WorkflowClient, transport=made.transport))
    monkeypatch.setenv("AGENTAINER_URL", URL)
    monkeypatch.setenv("AGENTAINER_TOKEN", TOKEN)
    return made


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "hello.yaml"
    path.write_text(DOCUMENT)
    return str(path)


def test_create_list_get_export(twin: PlatformTwin, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["workflow", "list"]) == 0
    assert "no workflow yet" in capsys.readouterr().out
    assert main(["workflow", "create", file]) == 0
    assert capsys.readouterr().out == "hello: version 1 is saved.\n"
    assert main(["workflow", "list"]) == 0
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split()[:2] == ["WORKFLOW", "VERSION"]
    assert row.split()[:2] == ["hello", "1"]
    assert main(["workflow", "get", "hello"]) == 0
    assert "greet" in capsys.readouterr().out
    assert main(["workflow", "export", "hello"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "hello"


def test_create_again_wants_update(twin: PlatformTwin, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["workflow", "create", file]) == 0
    assert main(["workflow", "create", file]) == 4
    assert "--update" in capsys.readouterr().err
    Path(file).write_text(DOCUMENT + "description: changed\n")
    assert main(["workflow", "create", file, "--update", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == 2


def test_create_of_json_and_of_standard_input(
    twin: PlatformTwin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps({"name": "one", "steps": [{"id": "a"}]}))
    assert main(["workflow", "create", str(path)]) == 0
    assert main(["workflow", "create", str(path), "--update"]) == 0
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(DOCUMENT.encode())))
    assert main(["workflow", "create", "-"]) == 0
    assert set(twin.workflows) == {"one", "hello"}


def test_create_of_a_class(twin: PlatformTwin, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cli_flow.py"
    path.write_text(
        "from agentainer_flow import step, workflow\n\n@workflow\nclass Nightly:\n"
        "    @step\n    def one(self, ctx):\n        return 1\n"
    )
    assert main(["workflow", "create", str(path)]) == 0
    run = twin.workflows["nightly"]["document"]["steps"][0]["run"]
    assert run["handler"] == "cli_flow:Nightly.one"
    path.write_text("import no_such_module\n")
    assert main(["workflow", "create", str(path)]) == 2
    path.write_text("x = 1\n")
    assert main(["workflow", "create", str(path)]) == 2
    told = capsys.readouterr().err
    assert "ModuleNotFoundError" in told
    assert "it has none" in told
    assert "Traceback" not in told


def test_create_of_one_class_of_several(
    twin: PlatformTwin, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cli_many.py"
    body = "    @step\n    def one(self, ctx):\n        return 1\n"
    path.write_text(
        f"from agentainer_flow import step, workflow\n\n@workflow\nclass Parent:\n{body}\n"
        f"@workflow\nclass Child:\n{body}"
    )
    assert main(["workflow", "create", str(path)]) == 2
    assert f"it has Parent, Child; say which: {path}:Parent." in capsys.readouterr().err
    assert main(["workflow", "create", f"{path}:Child"]) == 0
    assert set(twin.workflows) == {"child"}
    assert main(["workflow", "create", f"{path}:Chidl"]) == 2
    assert "has no class Chidl under @workflow; it has Parent, Child." in capsys.readouterr().err


def test_create_of_a_file_in_a_package(twin: PlatformTwin, tmp_path: Path) -> None:
    package = tmp_path / "cli_pack" / "flows"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").write_text("")
    (package.parent / "prices.py").write_text("TEA = 4\n")
    (package / "daily.py").write_text(
        "from agentainer_flow import step, workflow\nfrom ..prices import TEA\n\n@workflow\nclass Daily:\n"
        "    @step\n    def one(self, ctx):\n        return TEA\n"
    )
    assert main(["workflow", "create", str(package / "daily.py")]) == 0
    run = twin.workflows["daily"]["document"]["steps"][0]["run"]
    assert run["handler"] == "cli_pack.flows.daily:Daily.one"
    assert b"cli_pack/prices.py" in twin.bundles[0]


def test_run_and_wait(twin: PlatformTwin, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["workflow", "create", file])
    capsys.readouterr()
    arguments = ["workflow", "run", "hello", "--params", '{"a": 1}', "--param", "b=2", "--param", "c=x=y"]
    assert main([*arguments, "--wait"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {"params": {"a": 1, "b": 2, "c": "x=y"}}
    assert "completed in 0.01 s" in said.err
    assert main(["workflow", "run", "hello", "--wait", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "completed"
    assert main(["workflow", "run", "hello"]) == 0
    assert "run-3 has started" in capsys.readouterr().out


def test_a_failed_run_is_exit_code_1(
    twin: PlatformTwin, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["workflow", "create", file])
    twin.state = "failed"
    twin.error = {"type": "ValueError", "message": "no", "step": "greet", "traceback": "its traceback"}
    assert main(["workflow", "run", "hello", "--wait"]) == 1
    told = capsys.readouterr().err
    assert "its traceback" in told
    assert "failed in step greet" in told
    assert main(["workflow", "run", "hello", "--wait", "--json"]) == 1
    assert main(["workflow", "status", "run-1"]) == 1


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_cancelled_run_is_exit_code_1(twin: PlatformTwin, file: str, more: list[str]) -> None:
    main(["workflow", "create", file])
    twin.state = "cancelled"
    assert main(["workflow", "run", "hello", "--wait", *more]) == 1


def test_a_run_that_takes_too_long_is_exit_code_1(
    twin: PlatformTwin, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["workflow", "create", file])
    twin.looks = 1000
    assert main(["workflow", "run", "hello", "--wait", "--timeout", "0.05"]) == 1
    assert "it goes on" in capsys.readouterr().err


def test_looking_at_runs(twin: PlatformTwin, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["workflow", "create", file])
    main(["workflow", "run", "hello", "--wait"])
    capsys.readouterr()
    for arguments, told in (
        (["workflow", "status", "run-1"], "completed"),
        (["workflow", "jobs", "run-1"], "map"),
        (["workflow", "logs", "run-1"], "a[2]  hello"),
        (["run", "list"], "run-1"),
        (["run", "get", "run-1"], "completed"),
        (["run", "cancel", "run-1"], "being stopped"),
        (["pool", "list"], "python"),
        (["pool", "get", "python"], "python"),
        (["agent", "list", "--pool", "python"], "agent-1"),
    ):
        assert main(arguments) == 0, arguments
        assert told in capsys.readouterr().out
        assert main([*arguments, "--json"]) == 0, arguments
        json.loads(capsys.readouterr().out)


def test_resizing_a_pool(twin: PlatformTwin, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pool", "resize", "python", "--max", "9"]) == 0
    assert capsys.readouterr().out == "python: 1 to 9 agents.\n"
    assert main(["pool", "resize", "python"]) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["workflow", "run", "x", "--param", "novalue"], "KEY=VALUE"),
        (["workflow", "run", "x", "--params", "[1]"], "must be a JSON object"),
        (["workflow", "run", "x", "--params", "{"], "is no JSON"),
        (["workflow", "create", "/no/such/file.json"], "cannot be read"),
        (["run", "list", "--limit", "0"], "1 or more"),
        (["workflow"], "VERB"),
        (["wrkflow", "list"], "did you mean workflow?"),
        (["pool", "lst"], "did you mean list?"),
        (["planet", "list"], "there is top, login, completion, workflow"),
        (["pool", "resize", "p", "--min", "many"], "invalid int"),
        (["workflow", "run", "x", "--parma", "a=1"], "There is no option --parma; did you mean --param?"),
        (["workflow", "list", "--jsn"], "usage: aflow workflow list"),
        (["workflow", "get", "a", "b"], "not known what b is for"),
        (["workflow", "mapreduce", "--mapper", "m", "--items", "@/no/such"], "/no/such cannot be read"),
        (["workflow", "export", "x", "--yaml", "--python"], "not allowed with"),
        (["workflow", "export", "x", "--python", "--json"], "give one of --json, --yaml and --python"),
        (["top", "--every", "-1"], "a number of seconds"),
        (["top", "--every", "0"], "more than 0 seconds"),
        (["workflow", "run", "x", "--wait", "--timeout", "nan"], "a number of seconds"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    twin: PlatformTwin, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert "Traceback" not in told


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"aflow {__version__}\n"


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "Exit codes" in capsys.readouterr().out


def test_no_access_is_exit_code_3(
    twin: PlatformTwin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pool", "list", "--token", "wrong"]) == 3
    monkeypatch.setattr(cli_main, "WorkflowClient", WorkflowClient)
    assert main(["pool", "list", "--url", "http://127.0.0.1:9"]) == 3
    assert "is it running" in capsys.readouterr().err
    for name in ("AGENTAINER_URL", "AGENTAINER_TOKEN", "AFLOW_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main(["pool", "list"]) == 3
    assert main(["workflow", "get", "nope", "--url", URL]) == 3


def test_names_that_are_nearly_right(
    twin: PlatformTwin, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["workflow", "create", file])
    assert main(["workflow", "get", "helo"]) == 4
    assert "There is no workflow helo. Did you mean hello?" in capsys.readouterr().err
    for words in ("run get", "run cancel", "workflow logs", "workflow jobs", "workflow status"):
        assert main([*words.split(), "nope"]) == 4, words
        assert (
            capsys.readouterr().err == "aflow: There is no run nope; the newest are told by: aflow run list\n"
        )


def test_followed_lines_are_lines_of_json(
    twin: PlatformTwin, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["workflow", "create", file])
    main(["workflow", "run", "hello", "--wait"])
    capsys.readouterr()
    assert main(["workflow", "logs", "-f", "run-1", "--json"]) == 0
    assert [json.loads(line)["text"] for line in capsys.readouterr().out.splitlines()] == ["hello"]


def test_refusals_are_exit_code_4(twin: PlatformTwin, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["workflow", "get", "nope"]) == 4
    assert capsys.readouterr().err == "aflow: There is no workflow nope.\n"
