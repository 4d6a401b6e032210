"""What bodies print and log comes as lines before the answer, as it arises."""

from __future__ import annotations

import json
import time

from tests.unit.agent.running import TOKEN, RunningAgent, sha256

NDJSON = "application/x-ndjson"


def test_prints_and_logs_are_lines_with_their_item(agent: RunningAgent) -> None:
    source = """
        import logging, sys
        def main(x):
            print("out", x)
            print("err", x, file=sys.stderr)
            logging.getLogger("mine").warning("log %s", x)
            logging.debug("not shown")
            sys.stdout.write("no line end")
            return x
    """
    before = time.time()
    answer = agent.run(source, inputs=["a", "b"])
    assert answer.content_type == NDJSON
    assert answer.json == {"outputs": [{"output": "a"}, {"output": "b"}]}
    found = [(line["stream"], line["text"], line["item"]) for line in answer.logs]
    assert found == [
        (stream, text, item)
        for item, x in enumerate("ab")
        for stream, text in (
            ("stdout", f"out {x}"),
            ("stderr", f"err {x}"),
            ("log", f"log {x}"),
            ("stdout", "no line end"),
        )
    ]
    assert answer.logs[2]["level"] == "WARNING"
    assert answer.logs[2]["logger"] == "mine"
    assert all(before - 1 <= line["at"] <= time.time() + 1 for line in answer.logs)


def test_a_failing_body_logs_too(agent: RunningAgent) -> None:
    answer = agent.run("def main():\n    print('before')\n    1 / 0")
    assert [line["text"] for line in answer.logs] == ["before"]
    assert answer.error["type"] == "ZeroDivisionError"


def test_programs_that_a_body_starts_are_heard(agent: RunningAgent) -> None:
    source = """
        import os, subprocess, sys
        def main():
            subprocess.run(["sh", "-c", "echo child; echo trouble >&2; printf end"], check=True)
            subprocess.run(["echo", "through"], stdout=sys.stdout, check=True)
            os.write(1, "raw ä\\n".encode())
            if os.fork() == 0:
                print("forked")
                os._exit(0)
            os.wait()
    """
    answer = agent.run(source)
    lines = {(line["stream"], line["text"]) for line in answer.logs}
    assert lines == {
        ("stdout", "child"),
        ("stderr", "trouble"),
        ("stdout", "endthrough"),
        ("stdout", "raw ä"),
        ("stdout", "forked"),
    }
    assert answer.json == {"output": None}


def test_lines_are_streamed_as_they_arise(agent: RunningAgent) -> None:
    source = "import time\ndef main():\n    print('first')\n    time.sleep(1)"
    runs = {"runs": {"code": sha256(source.encode())}, "source": source}
    body = json.dumps(runs).encode()
    with agent.connect() as sock:
        head = "POST /invoke HTTP/1.1\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n"
        started = time.monotonic()
        sock.sendall(head.format(TOKEN, len(body)).encode() + body)
        received = b""
        while b"first" not in received:
            received += sock.recv(65536)
        assert time.monotonic() - started < 0.8
        while not received.endswith(b"0\r\n\r\n"):
            received += sock.recv(65536)
    assert b"Transfer-Encoding: chunked" in received
    assert b'{"output":null,"seconds":1.' in received


def test_an_old_client_gets_lines_until_the_end_of_the_connection(agent: RunningAgent) -> None:
    source = "def main(): print('a line')"
    body = json.dumps({"runs": {"code": sha256(source.encode())}, "source": source}).encode()
    with agent.connect() as sock:
        head = "POST /invoke HTTP/1.0\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n"
        sock.sendall(head.format(TOKEN, len(body)).encode() + body)
        received = b""
        while data := sock.recv(65536):
            received += data
    lines = received.partition(b"\r\n\r\n")[2].splitlines()
    assert json.loads(lines[0])["log"]["text"] == "a line"
    assert json.loads(lines[1])["output"] is None


def test_too_many_lines_are_cut_off_and_it_is_said(agent: RunningAgent) -> None:
    answer = agent.run("def main():\n    for n in range(30000): print(n)\n    return 'done'")
    assert answer.json == {"output": "done"}
    assert len(answer.logs) == 10_001
    assert answer.logs[9_999]["text"] == "9999"
    assert "truncated" in answer.logs[-1]["text"]


def test_too_many_bytes_are_cut_off_and_it_is_said(agent: RunningAgent) -> None:
    for source in (
        "def main():\n    for n in range(100): print('x' * 50000)",
        "def main(): print('x' * 5000000, end='')",
        "def main():\n    import os\n    for _ in range(100): os.write(1, b'x' * 50000)",
        "def main():\n    import subprocess\n    subprocess.run(['sh', '-c', 'head -c 3000000 /dev/zero'])",
    ):
        answer = agent.run(source)
        assert answer.json == {"output": None}
        assert len(answer.raw) < 1.2 * 1024 * 1024
        assert "truncated" in answer.logs[-1]["text"]
        assert sum("truncated" in line["text"] for line in answer.logs) == 1
    assert agent.run("def main(): print('again')").logs[0]["text"] == "again"


def test_text_that_is_no_unicode_does_not_spoil_the_answer(agent: RunningAgent) -> None:
    source = "import sys\ndef main():\n    print('\\ud800')\n    sys.stdout.buffer.write(b'\\xff\\n')"
    answer = agent.run(source)
    assert [line["text"] for line in answer.logs] == ["\\ud800", "\ufffd"]


def test_a_body_that_takes_stdout_away_gets_it_back(agent: RunningAgent) -> None:
    answer = agent.run(
        "import sys, io\ndef main(x):\n    print(x)\n    sys.stdout = io.StringIO()", inputs=[1, 2]
    )
    assert [line["text"] for line in answer.logs] == ["1", "2"]


def test_what_is_printed_between_requests_is_nobodys(agent: RunningAgent) -> None:
    source = """
        import threading, time
        def main():
            threading.Thread(target=lambda: (time.sleep(0.2), print("late"))).start()
    """
    assert agent.run(source).content_type == "application/json"
    time.sleep(0.5)
    assert agent.run("def main(): return 1").content_type == "application/json"


def test_progress_is_a_line_of_its_own(agent: RunningAgent) -> None:
    source = (
        "from agentainer_flow.agent import progress\ndef main():\n    progress({'done': 0.5})\n    return 1"
    )
    answer = agent.run(source)
    assert answer.lines[0] == {"progress": {"done": 0.5}, "item": 0}
    assert answer.json == {"output": 1}


def test_warnings_of_a_body_are_lines(agent: RunningAgent) -> None:
    source = "import warnings\ndef main():\n    warnings.simplefilter('always')\n    warnings.warn('careful')"
    answer = agent.run(source)
    assert answer.logs[0]["stream"] == "stderr"
    assert "careful" in answer.logs[0]["text"]
