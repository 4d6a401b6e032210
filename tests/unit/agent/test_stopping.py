"""Deadlines, cancellations, fences, resets, crashes and the end: what runs stops, and the agent lives on."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.unit.agent.running import SLEEPER, TOKEN, RunningAgent, agent_in, sha256, until


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


STARTS_OTHERS = """
    import os, pathlib, subprocess, time
    def main(begun, pids):
        # One in the body's group, one in a session of its own whose parent is gone.
        one = subprocess.Popen(["sleep", "60"])
        script = "setsid sleep 60 > /dev/null 2> /dev/null & echo $!"
        two = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
        pathlib.Path(pids).write_text(f"{one.pid} {int(two.stdout)}")
        pathlib.Path(begun).touch()
        time.sleep(60)
"""


def test_past_the_deadline_the_body_is_killed(agent: RunningAgent) -> None:
    started = time.monotonic()
    busy = "def main():\n    while True: pass"
    answer = agent.run(busy, context={"deadline": time.time() + 0.3})
    assert answer.status == 200
    assert answer.error["type"] == "timeout"
    assert 0.25 < time.monotonic() - started < 2
    assert agent.output("def main(): return 1") == 1


def test_a_deadline_that_has_passed_runs_nothing(agent: RunningAgent, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    source = "import pathlib\ndef main(path): pathlib.Path(path).touch()"
    answer = agent.run(source, {"path": str(mark)}, context={"deadline": time.time() - 1})
    assert answer.error["type"] == "timeout"
    assert not mark.exists()


@pytest.mark.parametrize("wrong", [-3600, 3600])
def test_a_timeout_holds_whatever_the_clocks_show(agent: RunningAgent, wrong: float) -> None:
    skewed = {"deadline": time.time() + wrong}
    assert agent.output("def main(): return 1", context={**skewed, "timeout": 5}) == 1
    late = agent.run("def main():\n    while True: pass", context={**skewed, "timeout": 0.3})
    assert late.error["type"] == "timeout"


def test_a_deadline_counts_while_the_request_waits(agent: RunningAgent) -> None:
    first = agent.started(SLEEPER, context={"lease": "a"})
    answer = agent.run("def main(): return 1", context={"deadline": time.time() + 0.2})
    assert answer.error["type"] == "timeout"
    agent.post("/cancel", {"lease": "a"})
    assert first.wait().error["type"] == "cancelled"


def test_items_that_finished_before_the_deadline_keep_their_output(agent: RunningAgent) -> None:
    source = "import time\ndef main(x):\n    print(x)\n    time.sleep(60 if x == 1 else 0)\n    return x"
    answer = agent.run(source, inputs=[0, 1, 2], context={"deadline": time.time() + 0.4})
    first, *others = answer.json["outputs"]
    assert first == {"output": 0}
    assert [one["error"]["type"] for one in others] == ["timeout", "timeout"]
    assert [line["text"] for line in answer.logs] == ["0", "1"]


def test_cancel_stops_that_leases_request(agent: RunningAgent) -> None:
    running = agent.started(SLEEPER, context={"lease": "mine"})
    assert agent.post("/cancel", {"lease": "another"}).json == {"cancelled": False}
    started = time.monotonic()
    cancelled = agent.post("/cancel", {"lease": "mine"})
    assert (cancelled.status, cancelled.json) == (200, {"cancelled": True})
    answer = running.wait()
    assert (answer.status, answer.error["type"]) == (200, "cancelled")
    assert time.monotonic() - started < 1
    assert agent.post("/cancel", {"lease": "mine"}).json == {"cancelled": False}
    assert agent.output("def main(): return 1") == 1


def test_cancel_stops_a_request_that_waits(agent: RunningAgent) -> None:
    first = agent.started(SLEEPER, context={"lease": "a"})
    with agent.connect() as sock:
        invoke_raw(sock, "def main(): return 1", {"lease": "b"})
        until(lambda: agent.post("/cancel", {"lease": "b"}).json["cancelled"])
        assert b'"cancelled"' in sock.recv(65536)
    agent.post("/cancel", {"lease": "a"})
    first.wait()


@pytest.mark.parametrize("body", [{}, {"lease": ""}, {"lease": 1}, []])
def test_cancel_wants_a_lease(agent: RunningAgent, body: Any) -> None:
    assert agent.post("/cancel", body).status == 400


def invoke_raw(sock: socket.socket, source: str, context: dict[str, Any], value: Any = None) -> None:
    runs = {"runs": {"code": sha256(source.encode())}, "source": source, "input": value, "context": context}
    body = json.dumps(runs).encode()
    head = f"POST /invoke HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n"
    sock.sendall(head.encode() + body)


def test_a_request_whose_client_hangs_up_is_stopped(agent: RunningAgent, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    source = (
        "import os, pathlib, time\n"
        "def main(path):\n"
        "    pathlib.Path(path).write_text(str(os.getpid()))\n"
        "    time.sleep(60)"
    )
    with agent.connect() as sock:
        invoke_raw(sock, source, {}, {"path": str(mark)})
        until(lambda: mark.exists() and mark.read_text())
    until(lambda: not alive(int(mark.read_text())))
    assert agent.output("def main(): return 1") == 1


def test_requests_run_one_after_the_other(agent: RunningAgent) -> None:
    first = agent.started(SLEEPER.replace("=60", "=0.3"))
    assert agent.output("def main(): return 1") == 1
    assert first.answer is not None or first.wait().json == {"output": "slept"}


# --- fences --------------------------------------------------------------------------------------------


def test_a_lower_fence_is_refused(agent: RunningAgent) -> None:
    source = "def main(): return 1"
    assert agent.output(source, context={"fence": 5}) == 1
    assert agent.output(source, context={"fence": 5}) == 1
    stale = agent.run(source, context={"fence": 4})
    assert (stale.status, stale.error["type"]) == (409, "stale_fence")
    assert agent.output(source) == 1
    agent.post("/reset", {})
    assert agent.run(source, context={"fence": 4}).status == 409


def test_a_higher_fence_ends_what_runs_under_a_lower_one(agent: RunningAgent) -> None:
    first = agent.started(SLEEPER, context={"fence": 1})
    started = time.monotonic()
    assert agent.output("def main(): return 1", context={"fence": 2}) == 1
    assert time.monotonic() - started < 2
    answer = first.wait()
    assert (answer.status, answer.error["type"]) == (409, "stale_fence")


# --- crashes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("crash", "told"),
    [
        ("os._exit(3)", "exit code 3"),
        ("os.kill(os.getpid(), 11)", "SIGSEGV"),
        ("os.kill(os.getpid(), 9)", "SIGKILL"),
        ("os.abort()", "SIGABRT"),
        ("os.closerange(3, 1000); time.sleep(60)", ""),
        ("[os.write(fd, b'rubbish' * 9) for fd in range(3, 64) if sock(fd)]; time.sleep(60)", ""),
    ],
)
def test_a_crash_is_the_requests_error(agent: RunningAgent, crash: str, told: str) -> None:
    source = (
        "import os, stat, time\n"
        "def sock(fd):\n"
        "    try: return stat.S_ISSOCK(os.fstat(fd).st_mode)\n"
        "    except OSError: return False\n"
        f"def main(): {crash}"
    )
    answer = agent.run(source)
    assert (answer.status, answer.error["type"]) == (200, "worker_died")
    assert told in answer.error["message"]
    assert agent.output("def main(): return 1") == 1


def test_a_crash_costs_its_own_item_alone(agent: RunningAgent) -> None:
    source = "import os\ndef main(x):\n    print(x)\n    if x % 2: os._exit(1)\n    return x"
    answer = agent.run(source, inputs=[0, 1, 2, 3, 4])
    found = [one.get("output", "died") for one in answer.json["outputs"]]
    assert found == [0, "died", 2, "died", 4]
    assert [(line["text"], line["item"]) for line in answer.logs] == [(str(n), n) for n in range(5)]


def test_a_worker_that_dies_between_requests_is_replaced(agent: RunningAgent) -> None:
    pid = agent.output("import os\ndef main(): return os.getpid()")
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid))
    time.sleep(0.1)
    assert agent.output("import os\ndef main(): return os.getpid()") != pid


def test_a_body_that_forks_and_returns_answers_once(agent: RunningAgent) -> None:
    assert agent.output("import os\ndef main(): return bool(os.fork())") is True
    assert agent.output("def main(): return 1") == 1


def test_bodies_may_use_processes_of_their_own(agent: RunningAgent) -> None:
    source = """
        import concurrent.futures, math
        def main():
            with concurrent.futures.ProcessPoolExecutor(2) as pool:
                return list(pool.map(math.factorial, [3, 4]))
    """
    assert agent.output(source) == [6, 24]


def test_no_process_of_a_body_outlives_its_worker(agent: RunningAgent, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    for stop in (
        lambda: agent.post("/cancel", {"lease": "mine"}),
        lambda: agent.post("/reset", {}),
        lambda: os.kill(agent.children()[1], signal.SIGKILL),
    ):
        running = agent.started(STARTS_OTHERS, context={"lease": "mine"}, extra={"pids": str(pids)})
        started = [int(pid) for pid in pids.read_text().split()]
        assert all(alive(pid) for pid in started)
        stop()
        running.wait()
        assert not any(alive(pid) for pid in started)
        pids.unlink()


# --- reset ---------------------------------------------------------------------------------------------


def test_reset_ends_wipes_and_forgets(agent: RunningAgent) -> None:
    source = """
        import os, pathlib, tempfile
        def main(x):
            pathlib.Path("file").write_text("x")
            os.mkdir("locked")
            pathlib.Path("locked/file").write_text("x")
            os.chmod("locked", 0)
            tempfile.mkdtemp()
            return os.getpid()
    """
    pid = agent.output(source, 1)
    answer = agent.post("/reset", {})
    assert (answer.status, answer.json) == (200, {"reset": True})
    assert not alive(pid)
    runs = {"runs": {"code": sha256(source.encode())}}
    assert agent.post("/invoke", runs).error["type"] == "code_missing"
    listing = "import os, tempfile\ndef main(): return os.listdir() + os.listdir(tempfile.gettempdir())"
    assert agent.output(listing) == []


def test_reset_stops_what_runs_and_what_waits(agent: RunningAgent) -> None:
    running = agent.started(SLEEPER)
    with agent.connect() as sock:
        invoke_raw(sock, "def main(): return 1", {})
        time.sleep(0.1)
        assert agent.post("/reset", {}).status == 200
        assert b'"cancelled"' in sock.recv(65536)
    assert running.wait().error["type"] == "cancelled"
    assert agent.output("def main(): return 1") == 1


# --- the end -------------------------------------------------------------------------------------------


def test_sigterm_ends_an_idle_agent(tmp_path: Path) -> None:
    with agent_in(tmp_path) as agent, agent.connect() as sock:
        until(lambda: len(agent.children()) == 2)
        children = agent.children()
        sock.sendall(b"GET /health HTTP/1.1\r\n\r\n")
        assert sock.recv(65536)
        agent.process.send_signal(signal.SIGTERM)
        assert agent.process.wait(5) == 0
        assert sock.recv(100) == b""
    assert not any(alive(pid) for pid in children)
    assert not list(tmp_path.glob("agentainer-*"))


def test_sigterm_lets_the_running_request_finish(tmp_path: Path) -> None:
    with agent_in(tmp_path) as agent:
        running = agent.started(SLEEPER.replace("=60", "=0.7"))
        with agent.connect() as waiting:
            invoke_raw(waiting, "def main(): return 1", {})
            time.sleep(0.1)
            os.kill(agent.process.pid, signal.SIGTERM)
            assert b"shutting_down" in waiting.recv(65536)
        answer = running.wait()
        assert answer.json == {"output": "slept"}
        assert answer.headers["Connection"] == "close"
        assert agent.process.wait(5) == 0


def test_a_signal_to_the_whole_group_lets_the_request_finish_too(tmp_path: Path) -> None:
    source = """
        import pathlib, subprocess
        def main(begun):
            child = subprocess.Popen(["sleep", "0.5"])
            pathlib.Path(begun).touch()
            return child.wait()
    """
    with agent_in(tmp_path, own_group=True) as agent:
        running = agent.started(source)
        os.killpg(agent.process.pid, signal.SIGTERM)
        assert running.wait().json == {"output": 0}
        assert agent.process.wait(5) == 0


def test_an_agent_that_is_killed_leaves_nothing_running(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with agent_in(tmp_path) as agent, agent.connect() as sock:
        invoke_raw(sock, dedent(STARTS_OTHERS), {}, {"begun": str(tmp_path / "begun"), "pids": str(pids)})
        until((tmp_path / "begun").exists)
        below = {*agent.children(), *map(int, pids.read_text().split())}
        assert len(below) >= 4
        agent.process.kill()
        until(lambda: not any(alive(pid) for pid in below))


def test_without_its_spawner_the_agent_ends(tmp_path: Path) -> None:
    with agent_in(tmp_path) as agent:
        os.kill(agent.children()[0], signal.SIGKILL)
        assert agent.process.wait(5) == 1
