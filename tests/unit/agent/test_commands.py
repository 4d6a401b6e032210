"""Commands: what they get, what their ends mean, and that nothing of one reaches the next."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from agentainer_flow.agent.commands import CommandFailed, Commands
from agentainer_flow.agent.scratch import Scratch
from tests.unit.agent.running import RunningAgent, agent_in, until
from tests.unit.agent.test_stopping import alive


def output(answer: Any) -> Any:
    assert answer.status == 200, answer
    assert "output" in answer.json, answer.json
    return answer.json["output"]


def in_background(agent: RunningAgent, script: str, mark: Path, **more: Any) -> Any:
    """Sends it in a thread; returns when it has made the file `mark`."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(agent.shell(script, **more)), daemon=True)
    thread.start()
    until(mark.exists, 20)

    def wait() -> Any:
        thread.join(60)
        return answers[0]

    return wait


# --- what it gets and gives ---------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 3, "Fähre 🚢", [1, {"a": [None, 0.5]}], {"b": 2**60}])
def test_json_goes_in_and_comes_out(agent: RunningAgent, value: Any) -> None:
    assert output(agent.command(["cat"], value)) == value


def test_half_a_character_goes_in_as_an_escape(agent: RunningAgent) -> None:
    assert output(agent.command(["wc", "-c"], "\ud83d")) == len('"\\ud83d"\n')


def test_a_large_input_and_output_pass(agent: RunningAgent) -> None:
    value = ["x" * 1000] * 5000
    assert output(agent.command(["cat"], value)) == value


def test_one_that_reads_nothing_of_a_large_input(agent: RunningAgent) -> None:
    assert output(agent.command(["echo", "7"], "x" * 1_000_000)) == 7


def test_the_input_ends_its_line(agent: RunningAgent) -> None:
    assert output(agent.shell('read -r line && echo "[$line, $line]"', {"a": 1})) == [{"a": 1}, {"a": 1}]


def test_no_output_is_null(agent: RunningAgent) -> None:
    assert output(agent.command(["true"])) is None


def test_arguments_are_passed_as_they_are(agent: RunningAgent) -> None:
    assert output(agent.command(["printf", "%s", '"$HOME * ü"'])) == "$HOME * ü"


def test_the_context_is_in_the_environment(agent: RunningAgent) -> None:
    script = (
        'printf \'["%s", "%s", "%s", "%s", "%s"]\' "$AGENTAINER_WORKFLOW_ID" "$AGENTAINER_RUN_ID" '
        '"$AGENTAINER_STEP_ID" "$AGENTAINER_ITEM_INDEX" "$AGENTAINER_ATTEMPT"'
    )
    context = {"workflow_id": "w", "run_id": "r", "step_id": "s", "item_index": 4, "attempt": 2}
    assert output(agent.shell(script, context=context)) == ["w", "r", "s", "4", "2"]


def test_a_batch_is_one_command_for_each_input(agent: RunningAgent) -> None:
    script = 'read -r item; test "$item" != 2 || exit 1; echo "[$item, $AGENTAINER_ITEM_INDEX]"'
    context = {"item_index": 7, "item_indexes": [7, 3, 9]}
    first, second, third = agent.shell(script, inputs=[1, 2, 3], context=context).json["outputs"]
    assert (first["output"], third["output"]) == ([1, 7], [3, 9])
    assert second["error"]["type"] == "command_failed"


def test_stderr_is_the_log(agent: RunningAgent) -> None:
    answer = agent.shell("echo one >&2; printf 'two' >&2; echo 5")
    assert [(log["stream"], log["text"]) for log in answer.logs] == [("stderr", "one"), ("stderr", "two")]
    assert output(answer) == 5


def test_an_image_may_say_where_commands_start(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "answer").write_text("42")
    with agent_in(tmp_path, AGENTAINER_DIRECTORY=str(tmp_path / "here")) as agent:
        assert output(agent.command(["cat", "answer"])) == 42
        (tmp_path / "here" / "answer").unlink()
        (tmp_path / "here").rmdir()
        error = agent.command(["cat", "answer"]).error
    assert error["type"] == "command_not_started"
    assert f"The directory {tmp_path}/here" in error["message"]
    assert "cannot be entered" in error["message"]


# --- how it fails -------------------------------------------------------------------------------------------


def test_a_program_that_does_not_exist(agent: RunningAgent) -> None:
    error = agent.command(["no-such-program"]).error
    assert (error["type"], error["traceback"]) == ("command_not_started", None)
    assert "There is no program no-such-program" in error["message"]


def test_a_file_that_cannot_be_executed(agent: RunningAgent, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("true")
    assert "may not be executed" in agent.command([str(tmp_path / "script")]).error["message"]
    (tmp_path / "script").chmod(0o755)
    assert "Exec format error" in agent.command([str(tmp_path / "script")]).error["message"]


def test_an_exit_code_comes_with_its_last_words(agent: RunningAgent) -> None:
    error = agent.shell("echo first >&2; echo no such table >&2; echo '{}'; exit 3").error
    assert error == {
        "type": "command_failed",
        "message": "The command ended with exit code 3. It last wrote: no such table",
        "traceback": "first\nno such table",
    }


def test_an_end_by_a_signal_is_named(agent: RunningAgent) -> None:
    assert agent.shell("kill -TERM $$").error["message"] == "The command was ended by SIGTERM."
    assert "perhaps memory ran out" in agent.shell("kill -KILL $$").error["message"]


@pytest.mark.parametrize(
    ("printed", "says"),
    [
        ("hello", "printed no JSON"),
        ("1 2", "printed no JSON"),
        ("NaN", "NaN is not JSON"),
        ("1e999", "a number that JSON does not have"),
        ("\\377", "no text in UTF-8"),
    ],
)
def test_garbage_is_no_output(agent: RunningAgent, printed: str, says: str) -> None:
    error = agent.command(["printf", printed]).error
    assert error["type"] == "bad_output"
    assert says in error["message"]


def test_an_endless_output_is_cut_off(agent: RunningAgent) -> None:
    error = agent.command(["yes"]).error
    assert error["type"] == "bad_output"
    assert "more than 60 MiB" in error["message"]
    assert output(agent.command(["echo", "1"])) == 1


def test_an_endless_log_is_cut_off(agent: RunningAgent) -> None:
    answer = agent.shell("yes | head -c 3000000 >&2; echo 1")
    assert output(answer) == 1
    assert "truncated" in answer.logs[-1]["text"]
    assert len(answer.logs) <= 10_001


@pytest.mark.parametrize(
    "command", [[], [""], "ls", ["ls", 1], ["a\0b"], ["\ud83d"], {"run": "ls"}, [["ls"]]]
)
def test_what_is_no_command_is_refused(agent: RunningAgent, command: Any) -> None:
    answer = agent.post("/invoke", {"runs": {"command": command}, "input": 1})
    assert (answer.status, answer.error["type"]) == (400, "bad_request")


def test_a_command_comes_alone(agent: RunningAgent) -> None:
    runs = {"command": ["ls"], "code": "0" * 64}
    assert agent.post("/invoke", {"runs": runs, "input": 1}).status == 400


def test_one_that_no_thread_can_watch_is_not_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(threading.Thread, "start", full)
    body = Commands(Scratch()).body(["touch", str(tmp_path / "begun")], lambda: 0)
    with pytest.raises(CommandFailed, match="The limit of processes"):
        body(None, {})
    assert not (tmp_path / "begun").exists()


# --- nothing is left ----------------------------------------------------------------------------------------


def test_what_it_started_ends_with_it(agent: RunningAgent, tmp_path: Path) -> None:
    """One in its group that holds its output open; one in a session of its own, whose parent is gone."""
    script = f"""
        sleep 600 & echo $! > {tmp_path}/one
        setsid sh -c 'sleep 600 & echo $! > {tmp_path}/two' &
        until test -s {tmp_path}/two; do sleep 0.01; done
        echo 1
    """
    assert output(agent.shell(script)) == 1
    for name in ("one", "two"):
        assert not alive(int((tmp_path / name).read_text()))


def test_children_of_code_stay(agent: RunningAgent) -> None:
    started = "import subprocess\ndef main(): return subprocess.Popen(['sleep', '600']).pid"
    pid = agent.output(started)
    assert output(agent.shell("sleep 600 & echo 1")) == 1
    assert alive(pid)
    agent.post("/reset", {})
    assert not alive(pid)


def test_each_has_a_scratch_directory_of_its_own(agent: RunningAgent) -> None:
    script = 'ls -A | wc -l; test "$PWD" = "$TMPDIR" && test "$HOME" = "$TMPDIR" || exit 1; touch left'
    assert output(agent.shell(script)) == 0
    assert output(agent.shell(script)) == 0


def test_its_environment_is_not_what_code_left(agent: RunningAgent) -> None:
    agent.output("import os\ndef main(): os.environ['LEFT'] = 'x'")
    assert output(agent.shell('echo "\\"$LEFT\\""')) == ""


# --- ended from outside -------------------------------------------------------------------------------------

HANGS = "sleep 600 & echo $! > {0}/pid.part && mv {0}/pid.part {0}/pid; wait"


def test_past_its_time_the_whole_group_is_killed(agent: RunningAgent, tmp_path: Path) -> None:
    answer = agent.shell("touch $TMPDIR/left;" + HANGS.format(tmp_path), context={"timeout": 1.5})
    assert answer.error["type"] == "timeout"
    assert not alive(int((tmp_path / "pid").read_text()))
    assert output(agent.shell("ls -A | wc -l")) == 0
    assert agent.send("GET", "/health").status == 200


def test_a_cancelled_command_is_gone(agent: RunningAgent, tmp_path: Path) -> None:
    wait = in_background(agent, HANGS.format(tmp_path), tmp_path / "pid", context={"lease": "l"})
    assert agent.post("/cancel", {"lease": "l"}).json == {"cancelled": True}
    assert not alive(int((tmp_path / "pid").read_text()))
    assert wait().error["type"] == "cancelled"


def test_a_newer_fence_ends_a_command_and_older_ones_are_refused(agent: RunningAgent, tmp_path: Path) -> None:
    wait = in_background(agent, HANGS.format(tmp_path), tmp_path / "pid", context={"fence": 5})
    assert output(agent.command(["echo", "1"], context={"fence": 6})) == 1
    assert not alive(int((tmp_path / "pid").read_text()))
    assert wait().error["type"] == "stale_fence"
    assert agent.command(["echo", "1"], context={"fence": 5}).status == 409


def test_a_worker_that_dies_takes_its_command_along(agent: RunningAgent, tmp_path: Path) -> None:
    wait = in_background(agent, HANGS.format(tmp_path), tmp_path / "pid")
    stat = Path(f"/proc/{int((tmp_path / 'pid').read_text())}/stat").read_text()
    shell = int(stat.rpartition(")")[2].split()[1])
    worker = int(Path(f"/proc/{shell}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(worker, signal.SIGKILL)
    assert wait().error["type"] == "worker_died"
    assert not alive(shell)
    assert output(agent.command(["echo", "1"])) == 1


def test_an_agent_that_leaves_finishes_its_command(agent: RunningAgent, tmp_path: Path) -> None:
    script = f"touch {tmp_path}/begun; until test -e {tmp_path}/go; do sleep 0.01; done; echo 9"
    wait = in_background(agent, script, tmp_path / "begun")
    agent.process.send_signal(signal.SIGTERM)
    (tmp_path / "go").touch()
    assert output(wait()) == 9
    assert agent.process.wait(60) == 0
