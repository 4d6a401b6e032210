"""What a code step can do, and what its caller learns."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.agent.running import RunningAgent, sha256


@pytest.mark.parametrize(
    ("source", "value", "output"),
    [
        ("def main(a, b=2): return [a, b]", {"a": 1}, [1, 2]),
        ("def main(**all): return all", {"any key": 1}, {"any key": 1}),
        ("def main(x): return x", [1, 2], [1, 2]),
        ("def main(x): return x", "text", "text"),
        ("def main(x): return x", None, None),
        ("def main(x): return x", False, False),
        ("def main(): return 'nothing'", None, "nothing"),
        ("def main(x='default'): return x", None, "default"),
        ("def main(*all): return len(all)", None, 0),
        ("def main(): return 'nothing'", {}, "nothing"),
        ("async def main(x):\n    import asyncio\n    await asyncio.sleep(0)\n    return x", 1, 1),
        ("main = len", [1, 2, 3], 3),
        ("class main:\n    def __new__(cls, x): return x + 1", 1, 2),
        ("def main(): return ('a', 1, True, 0.5, {'ä': '\\n'})", None, ["a", 1, True, 0.5, {"ä": "\n"}]),
    ],
)  # fmt: skip
def test_main_is_called_by_the_kind_of_its_input(
    agent: RunningAgent, source: str, value: Any, output: Any
) -> None:
    answer = agent.run(source, value)
    assert answer.content_type == "application/json"
    assert answer.json == {"output": output}


def test_code_travels_once(agent: RunningAgent) -> None:
    source = "def main(x): return x"
    runs = {"runs": {"code": sha256(source.encode())}, "input": 7}
    missing = agent.post("/invoke", runs)
    assert (missing.status, missing.error["type"]) == (409, "code_missing")
    assert agent.post("/invoke", {**runs, "source": source}).json == {"output": 7}
    assert agent.post("/invoke", runs).json == {"output": 7}


def test_code_is_loaded_once(agent: RunningAgent) -> None:
    counting = "n = [0]\ndef main(x):\n    n[0] += 1\n    return n[0]"
    assert [agent.output(counting, 0) for _ in range(3)] == [1, 2, 3]
    assert agent.run(counting, inputs=[0, 0]).json == {"outputs": [{"output": 4}, {"output": 5}]}


def test_the_least_recently_used_code_is_forgotten(agent: RunningAgent) -> None:
    sources = [f"def main(x): return {number}" for number in range(66)]
    for number, source in enumerate(sources):
        assert agent.output(source, 0) == number
    runs = [{"runs": {"code": sha256(source.encode())}, "input": 0} for source in sources]
    statuses = [agent.post("/invoke", one).status for one in runs]
    assert statuses == [409, 409] + [200] * 64


def test_a_fresh_worker_gets_the_code_without_the_caller(agent: RunningAgent) -> None:
    source = "import os\ndef main(x):\n    if x: os._exit(9)\n    return os.getpid()"
    first = agent.output(source, 0)
    runs = {"runs": {"code": sha256(source.encode())}}
    assert agent.post("/invoke", {**runs, "input": 1}).error["type"] == "worker_died"
    again = agent.post("/invoke", {**runs, "input": 0}).json["output"]
    assert again != first


def test_a_source_with_another_hash_is_refused(agent: RunningAgent) -> None:
    request = {"runs": {"code": "0" * 64}, "source": "def main(): return 1"}
    answer = agent.post("/invoke", request)
    assert (answer.status, answer.error["type"]) == (400, "bad_request")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b"\xff", b'{"input": NaN, "runs": {}}', b"{}", b'{"runs": 1}',
        b'{"runs": {"code": "x"}}', b'{"runs": {"handler": "a:b"}}',
        b'{"runs": {"handler": "a:b", "bundle": "x"}}', b"[" * 100_000,
        json.dumps({"runs": {"code": "0" * 64}, "context": 1}).encode(),
        json.dumps({"runs": {"code": "0" * 64}, "context": {"fence": "1"}}).encode(),
        json.dumps({"runs": {"code": "0" * 64}, "context": {"deadline": "soon"}}).encode(),
        json.dumps({"runs": {"code": "0" * 64}, "context": {"lease": 1}}).encode(),
        json.dumps({"runs": {"code": "0" * 64}, "inputs": {}}).encode(),
        json.dumps({"runs": {"code": "0" * 64}, "inputs": [], "input": 1}).encode(),
        json.dumps({"runs": {"code": "0" * 64}, "source": 1}).encode(),
        json.dumps({"runs": {"code": "0" * 64}, "source": "\ud800"}).encode(),
    ],
)  # fmt: skip
def test_bad_requests(agent: RunningAgent, body: bytes) -> None:
    answer = agent.send("POST", "/invoke", body)
    assert (answer.status, answer.error["type"]) == (400, "bad_request")
    assert answer.error["message"]


def test_a_batch_answers_item_by_item(agent: RunningAgent) -> None:
    answer = agent.run("def main(x): return 10 // x", inputs=[1, 0, 5])
    first, second, third = answer.json["outputs"]
    assert (first, third) == ({"output": 10}, {"output": 2})
    assert second["error"]["type"] == "ZeroDivisionError"
    assert agent.run("def main(x): return x", inputs=[]).json == {"outputs": []}


def test_a_traceback_begins_at_the_users_code(agent: RunningAgent) -> None:
    source = """
        def divide(a, b):
            return a / b
        def main(a):
            try:
                return divide(a, 0)
            except ZeroDivisionError as exc:
                raise RuntimeError("no luck") from exc
    """
    error = agent.run(source, 1, context={"step_id": "census"}).error
    assert (error["type"], error["message"]) == ("RuntimeError", "no luck")
    assert 'File "census.py", line 6, in main' in error["traceback"]
    assert "return a / b" in error["traceback"]
    assert "agentainer_flow" not in error["traceback"]
    assert error["traceback"].endswith("RuntimeError: no luck\n")


def test_tracebacks_of_async_bodies_and_groups_are_the_users_too(agent: RunningAgent) -> None:
    source = """
        import asyncio
        async def fail(n):
            raise ValueError(n)
        async def main():
            async with asyncio.TaskGroup() as group:
                group.create_task(fail(1))
    """
    error = agent.run(source).error
    assert error["type"] == "ExceptionGroup"
    assert 'File "step.py", line 4, in fail' in error["traceback"]
    assert "agentainer_flow" not in error["traceback"]
    assert "base_events.py" not in error["traceback"]


def test_two_codes_of_one_name_show_their_own_lines(agent: RunningAgent) -> None:
    context = {"step_id": "same"}
    one, two = "def main(x):\n    return x.one", "def main(x):\n    return x.two"
    for source in (one, two, one):
        assert source.splitlines()[1].strip() in agent.run(source, 1, context=context).error["traceback"]


@pytest.mark.parametrize(
    ("source", "kind", "text"),
    [
        ("def main(:", "SyntaxError", "step.py"),
        ("raise LookupError('at load')", "LookupError", "at load"),
        ("import sys; sys.exit(4)", "SystemExit", "4"),
        ("x = 1", "bad_code", "main"),
        ("main = 1", "bad_code", "main"),
        ("def main(): raise SystemExit(3)", "SystemExit", "3"),
        ("def main(): raise KeyboardInterrupt", "KeyboardInterrupt", ""),
        ("def main(a): return a", "TypeError", "unexpected keyword argument 'b'"),
        ("def main(**a): return main(**a)", "RecursionError", "recursion"),
        ("class Odd(Exception):\n def __str__(self): 1/0\ndef main(b): raise Odd", "Odd", "ZeroDivision"),
        ("import asyncio\nasync def main(b): raise asyncio.CancelledError", "CancelledError", ""),
        ("import asyncio\nasync def main(b): return asyncio.run(main(b))", "RuntimeError", "running event"),
        ("def main(b): raise ValueError('\\ud800')", "ValueError", ""),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("default")
def test_what_a_body_raises_is_its_answer(agent: RunningAgent, source: str, kind: str, text: str) -> None:
    answer = agent.run(source, {"b": 1} if "(b)" in source or "a)" in source else None)
    assert answer.status == 200
    assert answer.error["type"] == kind
    assert text in answer.error["message"]
    assert agent.output("def main(): return 'alive'") == "alive"


def test_a_wrong_call_shows_no_frames_of_the_agent(agent: RunningAgent) -> None:
    error = agent.run("def main(): return 1", {"x": 1}).error
    assert error["traceback"] == "TypeError: main() got an unexpected keyword argument 'x'\n"


@pytest.mark.parametrize(
    ("output", "place"),
    [
        ("float('nan')", "output is nan"),
        ("{'a': [0, float('inf')]}", "output.a[1] is inf"),
        ("{1, 2}", "output is of type set"),
        ("{'rows': [{'a b': object()}]}", "output.rows[0]['a b'] is of type object"),
        ("{'a': {1: 2}}", "output.a has the key 1"),
        ("[{None: 2}]", "output[0] has the key None"),
        ("b'bytes'", "output is of type bytes"),
        ("'\\ud800'", "output is text"),
        ("{'\\ud800': 1}", "output has a key"),
        ("(i for i in ())", "output is of type generator"),
    ],
)
def test_outputs_without_a_json_form(agent: RunningAgent, output: str, place: str) -> None:
    error = agent.run(f"def main(): return {output}").error
    assert error["type"] == "bad_output"
    assert error["message"].startswith(place)


def test_outputs_that_contain_themselves_or_are_too_deep(agent: RunningAgent) -> None:
    loop = "def main():\n    a = []\n    a.append({'b': a})\n    return a"
    assert agent.run(loop).error["message"] == "output[0].b contains itself."
    deep = "def main():\n    a = []\n    for _ in range(100000): a = [a]\n    return a"
    assert agent.run(deep).error["type"] == "bad_output"


def test_large_inputs_and_outputs_pass(agent: RunningAgent) -> None:
    text = "ä" * 5_000_000
    assert agent.output("def main(x): return x", text) == text


def test_outputs_beyond_the_limit_are_an_error_of_their_item(agent: RunningAgent) -> None:
    answer = agent.run("def main(n): return 'x' * (n << 20)", inputs=[1, 61, 30, 30, 1])
    kinds = [one["error"]["type"] if "error" in one else "ok" for one in answer.json["outputs"]]
    assert kinds == ["ok", "bad_output", "ok", "bad_output", "ok"]


def test_async_bodies_share_a_loop_and_leave_no_tasks(agent: RunningAgent) -> None:
    source = """
        import asyncio
        left = []
        async def linger():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                left.append("ended")
                raise
        async def main(x):
            if x == 0:
                left.append(asyncio.get_running_loop())
                asyncio.create_task(linger())
                await asyncio.sleep(0)
            return [left[0] is asyncio.get_running_loop(), left[1:]]
    """
    assert agent.output(source, 0) == [True, []]
    assert agent.output(source, 1) == [True, ["ended"]]


def test_dataclasses_and_pickles_work_in_code(agent: RunningAgent) -> None:
    source = """
        from __future__ import annotations
        import dataclasses, pickle
        @dataclasses.dataclass
        class Point:
            x: int
        def main(x):
            return dataclasses.asdict(pickle.loads(pickle.dumps(Point(x))))
    """
    assert agent.output(source, 3) == {"x": 3}


def test_a_body_finds_itself_in_scratch_space(agent: RunningAgent) -> None:
    source = """
        import os, tempfile
        def main():
            here = os.getcwd()
            os.chdir("/")
            with tempfile.NamedTemporaryFile() as file:
                return [here, os.path.dirname(file.name)]
    """
    for _ in range(2):
        here, temporary = agent.output(source)
        assert here == temporary
        assert here.startswith(str(agent.scratch))
