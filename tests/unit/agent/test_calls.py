"""Bodies that ask their executor while they run: over the request that is open, from any thread or task."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.agent.running import RunningAgent, agent_in, until
from tests.unit.agent.talking import LEASE, Failure, Store, Talking, talk, talking


def asked(agent: RunningAgent, source: str, value: Any = None, **more: Any) -> Any:
    """The output of a body whose calls a `Store` answers."""
    answer = talk(agent, source, Store(), value, **more).json
    assert "output" in answer, answer
    return answer["output"]


TWICE = "def main(ctx): return [ctx.state.increment('n'), ctx.state.increment('n', 5)]"


def test_a_sync_body_asks_and_goes_on(agent: RunningAgent) -> None:
    store = Store()
    answer = talk(agent, TWICE, store)
    assert answer.json == {"output": [1, 6]}
    first, second = (line["call"] for line in answer.lines[:2])
    assert first == {"id": first["id"], "op": "state.increment", "args": {"key": "n", "by": 1}, "item": 0}
    assert second["id"] != first["id"]
    assert store.values == {"n": 6}


def test_a_body_without_calls_is_answered_in_one_piece(agent: RunningAgent) -> None:
    source = "import threading\ndef main(ctx): return threading.active_count()"
    answer = agent.run(source)
    assert (answer.content_type, answer.json) == ("application/json", {"output": 1})


def test_calls_leave_no_thread_and_no_task(agent: RunningAgent) -> None:
    source = """
        import asyncio, threading
        def main(ctx):
            ctx.state.get("k")
            asyncio.run(ask(ctx))
            return threading.active_count()
        async def ask(ctx):
            await ctx.state.get("k")
            assert len(asyncio.all_tasks()) == 1
    """
    assert asked(agent, source) == 1


def test_many_calls_of_an_async_body_are_answered_in_any_order(agent: RunningAgent) -> None:
    source = """
        import asyncio
        async def main(ctx):
            return await asyncio.gather(*(ctx.state.get(str(n)) for n in range(50)))
    """
    with talking(agent, source) as open_:
        calls = [open_.call() for _ in range(50)]
        random.Random(1).shuffle(calls)
        assert all(open_.reply(call, call["args"]["key"]) for call in calls)
        assert open_.wait().json == {"output": [str(n) for n in range(50)]}


def test_a_call_does_not_block_the_loop(agent: RunningAgent) -> None:
    source = """
        import asyncio
        async def main(ctx):
            ticks = []
            async def tick():
                while True:
                    ticks.append(1)
                    await asyncio.sleep(0.01)
            ticking = asyncio.create_task(tick())
            await ctx.state.get("k")
            ticking.cancel()
            return len(ticks)
    """
    with talking(agent, source) as open_:
        call = open_.call()
        time.sleep(0.4)
        open_.reply(call)
        assert open_.wait().json["output"] > 15


def test_threads_ask_at_once(agent: RunningAgent) -> None:
    source = """
        import concurrent.futures as futures
        def main(ctx):
            with futures.ThreadPoolExecutor(20) as pool:
                return list(pool.map(lambda n: ctx.state.get(str(n)), range(200)))
    """
    with talking(agent, source) as open_:
        rest: list[Any] = []
        for _ in range(200):
            rest.append(open_.call())
            if len(rest) == 20:
                random.Random(2).shuffle(rest)
                while rest:
                    call = rest.pop()
                    open_.reply(call, call["args"]["key"])
        assert open_.wait().json == {"output": [str(n) for n in range(200)]}


def test_threads_and_loops_of_one_body_mix(agent: RunningAgent) -> None:
    source = """
        import asyncio
        async def ask(ctx, kind):
            return [await ctx.state.increment(kind) for _ in range(20)][-1]
        async def main(ctx):
            return await asyncio.gather(
                ask(ctx, "loop"),
                asyncio.to_thread(lambda: [ctx.state.increment("thread") for _ in range(20)][-1]),
                asyncio.to_thread(lambda: asyncio.run(ask(ctx, "other loop"))),
                ask(ctx, "loop again"),
            )
    """
    assert asked(agent, source) == [20, 20, 20, 20]


@pytest.mark.parametrize("kind", ["async", "threads"])
def test_calls_beyond_the_bound_wait_for_others(agent: RunningAgent, kind: str) -> None:
    tasks = """
        import asyncio
        async def main(ctx):
            return await asyncio.gather(*(ctx.state.get(n) for n in range(600)))
    """
    threads = """
        import concurrent.futures as futures
        def main(ctx):
            with futures.ThreadPoolExecutor(300) as pool:
                return list(pool.map(ctx.state.get, range(600)))
    """
    with talking(agent, tasks if kind == "async" else threads) as open_:
        calls = [open_.call() for _ in range(256)]
        time.sleep(0.2)
        assert open_.calls.empty()
        for _ in range(600):
            call = calls.pop() if calls else open_.call()
            assert open_.reply(call, call["args"]["key"])
        assert open_.wait().json == {"output": list(range(600))}


def test_calls_that_were_given_up_are_not_sent_later(agent: RunningAgent) -> None:
    source = """
        import asyncio
        async def main(ctx):
            first = [asyncio.create_task(ctx.state.get(n)) for n in range(256)]
            await asyncio.sleep(0)
            given_up = asyncio.create_task(ctx.state.get("given up"))
            await asyncio.sleep(0.05)
            given_up.cancel()
            last = asyncio.create_task(ctx.state.get("last"))
            return (await asyncio.gather(*first, last))[-1]
    """
    with talking(agent, source) as open_:
        time.sleep(0.2)
        for _ in range(257):
            call = open_.call()
            open_.reply(call, call["args"]["key"])
        assert open_.wait().json == {"output": "last"}


def test_a_call_that_was_given_up_harms_no_later_one(agent: RunningAgent) -> None:
    source = """
        import asyncio
        async def main(ctx):
            try:
                await asyncio.wait_for(ctx.state.get("slow"), 0.1)
            except TimeoutError:
                return [await ctx.state.get("next"), await ctx.state.get("and next")]
    """
    with talking(agent, source) as open_:
        slow, second = open_.call(), open_.call()
        assert open_.reply(slow, "late")
        open_.reply(second, "in time")
        open_.reply(open_.call(), "too")
        assert open_.wait().json == {"output": ["in time", "too"]}


def test_a_signal_may_end_a_call(agent: RunningAgent) -> None:
    source = """
        import signal
        def alarm(*_):
            raise TimeoutError
        def main(ctx):
            signal.signal(signal.SIGALRM, alarm)
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            try:
                ctx.state.get("slow")
            except TimeoutError:
                return ctx.state.get("next")
    """
    with talking(agent, source) as open_:
        slow, second = open_.call(), open_.call()
        open_.reply(slow, "late")
        open_.reply(second, "in time")
        assert open_.wait().json == {"output": "in time"}


def test_large_values_pass_both_ways(agent: RunningAgent) -> None:
    source = """
        def main(ctx):
            ctx.state.set("k", "ä" * 500_000)
            return len(ctx.state.get("k")), len(ctx.state.get("large", None))
    """
    with talking(agent, source) as open_:
        first = open_.call()
        open_.reply(first)
        open_.reply(open_.call(), first["args"]["value"])
        open_.reply(open_.call(), "x" * 20_000_000)
        assert open_.wait().json == {"output": [500_000, 20_000_000]}


def test_each_item_of_a_batch_asks_for_itself(agent: RunningAgent) -> None:
    source = "def main(x, ctx): return ctx.state.increment('n', x)"
    answer = talk(agent, source, Store(), inputs=[{"x": 1}, {"x": 2}, {"x": 3}])
    assert answer.json == {"outputs": [{"output": 1}, {"output": 3}, {"output": 6}]}
    assert [line["call"]["item"] for line in answer.lines if "call" in line] == [0, 1, 2]


def test_a_custom_agent_calls_too(tmp_path: Path) -> None:
    script = """
        import sys
        from agentainer_flow.agent import CallFailed, call, serve
        def handle(input, context):
            sdk = "agentainer_flow.context" in sys.modules
            try:
                return [call("state.increment", {"key": "n", "by": input}), sdk]
            except CallFailed as exc:
                return [exc.kind, str(exc)]
        serve(handle)
    """
    with agent_in(tmp_path, script) as agent:
        request = {"input": 3, "context": {"lease": LEASE}}
        assert Talking(agent, request).answered(Store()).json == {"output": [3, False]}

        def refuse(call: Any) -> Any:
            raise Failure("odd", "Not today.")

        assert Talking(agent, request).answered(refuse).json == {"output": ["odd", "Not today."]}


# --- replies -------------------------------------------------------------------------------------------


ASKS = "def main(ctx): return ctx.state.get('k')"


def test_replies_to_what_was_not_asked_are_not_delivered(agent: RunningAgent) -> None:
    assert agent.post("/reply", {"lease": LEASE, "id": 1, "result": 1}).json == {"delivered": False}
    with talking(agent, ASKS) as open_:
        call = open_.call()
        assert not open_.reply(call["id"] + 1, 0)
        other = {"lease": "another", "id": call["id"], "result": 0}
        assert agent.post("/reply", other).json == {"delivered": False}
        assert open_.reply(call, 1)
        assert not open_.reply(call, 2)
        assert open_.wait().json == {"output": 1}
        assert not open_.reply(call, 3)


def test_a_late_reply_reaches_no_later_request_of_the_lease(agent: RunningAgent) -> None:
    source = """
        import asyncio
        async def main(ctx):
            asyncio.create_task(ctx.state.get("left open"))
            await asyncio.sleep(0.05)
    """
    with talking(agent, source) as first:
        late = first.call()
        first.wait()
    with talking(agent, ASKS) as second:
        call = second.call()
        assert not second.reply(late, "astray")
        second.reply(call, "right")
        assert second.wait().json == {"output": "right"}


@pytest.mark.parametrize(
    "body",
    [
        [], {}, {"id": 1}, {"id": "1", "result": 1}, {"id": True, "result": 1},
        {"id": 1, "result": 1, "error": {}}, {"id": 1, "error": None}, {"id": 1, "error": "no"},
        {"id": 1, "error": {"type": "x"}},
        {"id": 1, "error": {"type": 1, "message": "m"}}, {"id": 1, "result": 1, "lease": 5},
    ],
)  # fmt: skip
def test_replies_have_a_form(agent: RunningAgent, body: Any) -> None:
    answer = agent.post("/reply", body)
    assert (answer.status, answer.error["type"]) == (400, "bad_request")


def test_a_reply_without_json_leaves_its_call_open(agent: RunningAgent) -> None:
    with talking(agent, ASKS) as open_:
        call = open_.call()
        raw = json.dumps({"lease": LEASE, "id": call["id"], "result": float("nan")}).encode()
        assert agent.send("POST", "/reply", raw).status == 400
        assert open_.reply(call, "well")
        assert open_.wait().json == {"output": "well"}


def test_replies_want_the_token_and_post(agent: RunningAgent) -> None:
    body = json.dumps({"lease": LEASE, "id": 1, "result": 1}).encode()
    assert agent.send("POST", "/reply", body, token="wrong").status == 401
    assert agent.send("GET", "/reply").status == 405


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("invalid", "InvalidRequest"),
        ("not_found", "NotFound"),
        ("conflict", "Conflict"),
        ("precondition_failed", "PreconditionFailed"),
        ("not_allowed", "PermissionDenied"),
        ("overloaded", "Overloaded"),
        ("too_large", "FlowAPIError"),
        ("of_another_kind", "FlowAPIError"),
        ("not_supported", "NotSupportedError"),
    ],
)
def test_errors_of_the_executor_are_errors_of_the_sdk(agent: RunningAgent, kind: str, error: str) -> None:
    def refuse(call: Any) -> Any:
        raise Failure(kind, f"{call['op']} does not go.")

    source = """
        from agentainer_flow.errors import FlowError
        def main(ctx):
            try:
                ctx.state.get("k")
            except FlowError as exc:
                return [type(exc).__name__, str(exc), getattr(exc, "code", None)]
    """
    code = None if kind == "not_supported" else kind
    for text in (
        source,
        source.replace("def main", "async def main").replace("ctx.state", "await ctx.state"),
    ):
        assert talk(agent, text, refuse).json == {"output": [error, "state.get does not go.", code]}


def test_an_error_that_nobody_catches_is_the_bodys(agent: RunningAgent) -> None:
    def refuse(call: Any) -> Any:
        raise Failure("conflict", "Somebody was faster.")

    error = talk(agent, ASKS, refuse, context={"step_id": "mine"}).error
    assert (error["type"], error["message"]) == ("Conflict", "Somebody was faster.")
    assert 'File "mine.py", line 1, in main' in error["traceback"]
    assert "CallFailed" not in error["traceback"]


# --- refusals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("float('nan')", "args.value is nan"),
        ("{'a': [{1, 2}]}", "args.value.a[0] is of type set"),
        ("{1: 2}", "args.value has the key 1"),
        ("object()", "args.value is of type object"),
        ("'\\ud800'", "args.value is text"),
        ("'x' * (1 << 20)", "The arguments of a call are limited to 1 MiB"),
    ],
)
def test_arguments_are_refused_as_outputs_are(agent: RunningAgent, value: str, told: str) -> None:
    for source in (
        f"def main(ctx): ctx.state.set('k', {value})",
        f"async def main(ctx): await ctx.state.set('k', {value})",
    ):
        answer = agent.run(source)
        assert answer.content_type == "application/json", "nothing was sent"
        assert answer.error["type"] == "InvalidRequest"
        assert answer.error["message"].startswith(told)


@pytest.mark.parametrize("op", ["''", "'x' * 101", "5"])
def test_calls_need_a_name(agent: RunningAgent, op: str) -> None:
    source = f"from agentainer_flow.agent import call\ndef main(): call({op})"
    assert "name" in agent.run(source).error["message"]


def test_a_fork_does_not_speak_for_its_body(agent: RunningAgent) -> None:
    source = """
        import os
        def main(ctx):
            read, write = os.pipe()
            if os.fork() == 0:
                try:
                    ctx.state.get("k")
                except BaseException as exc:
                    os.write(write, f"{type(exc).__name__}: {exc}".encode())
                os._exit(0)
            os.wait()
            return os.read(read, 1000).decode()
    """
    answer = agent.run(source)
    assert answer.content_type == "application/json"
    assert answer.json["output"].startswith("FlowError: This process was forked")


def test_after_the_request_there_is_nobody_to_ask(agent: RunningAgent) -> None:
    source = """
        from agentainer_flow.errors import FlowError
        kept = []
        def main(ctx):
            kept.append(ctx)
            try:
                return kept[0].state.get("k")
            except FlowError as exc:
                return str(exc)
    """
    assert talk(agent, source, Store()).json == {"output": None}
    answer = agent.run(source)
    assert answer.content_type == "application/json"
    assert answer.json == {"output": "The request that this call belongs to has ended."}


@pytest.mark.parametrize("waits", ["alone", "with others"])
def test_threads_that_a_body_leaves_behind_are_woken(agent: RunningAgent, waits: str) -> None:
    source = f"""
        import threading, time
        told = []
        def linger(ctx):
            try:
                ctx.state.get("k")
            except Exception as exc:
                told.append(str(exc))
        def main(ctx, look):
            if not look:
                for _ in range({1 if waits == "alone" else 9}):
                    threading.Thread(target=linger, args=(ctx,)).start()
                time.sleep(0.1)
                return None
            deadline = time.monotonic() + 5
            while threading.active_count() > 1 and time.monotonic() < deadline:
                time.sleep(0.01)
            return [threading.active_count(), sorted(set(told))]
    """
    with talking(agent, source, {"look": False}) as open_:
        assert open_.wait().json == {"output": None}
    ended = "The request that this call belongs to has ended."
    assert agent.output(source, {"look": True}) == [1, [ended]]
    assert asked(agent, TWICE) == [1, 6]


def test_a_thread_that_asks_late_does_not_ask_for_the_next_request(agent: RunningAgent) -> None:
    source = """
        import threading, time
        from agentainer_flow.errors import FlowError
        def ask(ctx):
            time.sleep(0.3)
            try:
                ctx.state.set("astray", 1)
            except FlowError:  # its request has ended
                pass
        def main(ctx):
            threading.Thread(target=ask, args=(ctx,)).start()
    """
    assert agent.run(source).json == {"output": None}
    answer = talk(agent, "import time\ndef main(ctx):\n    time.sleep(0.6)\n    ctx.state.get('k')", Store())
    assert [line["call"]["op"] for line in answer.lines if "call" in line] == ["state.get"]


# --- ends ----------------------------------------------------------------------------------------------


def test_a_body_that_waits_for_a_reply_is_cancelled(agent: RunningAgent) -> None:
    with talking(agent, ASKS) as open_:
        call = open_.call()
        assert agent.post("/cancel", {"lease": LEASE}).json == {"cancelled": True}
        assert open_.wait().error["type"] == "cancelled"
        assert not open_.reply(call, 1)
    assert asked(agent, TWICE) == [1, 6]


def test_a_body_that_waits_for_a_reply_meets_its_deadline(agent: RunningAgent) -> None:
    with talking(agent, ASKS, context={"deadline": time.time() + 0.4}) as open_:
        call = open_.call()
        answer = open_.wait()
        assert answer.error["type"] == "timeout"
        assert 0.2 < answer.seconds < 2
        assert not open_.reply(call, 1)
    assert asked(agent, TWICE) == [1, 6]


def test_a_body_that_waits_for_a_reply_ends_with_its_client(agent: RunningAgent) -> None:
    with talking(agent, ASKS) as open_:
        call = open_.call()
        open_.hang_up()
        until(lambda: not open_.reply(call, 1))
    assert asked(agent, TWICE) == [1, 6]


def leaves(agent: RunningAgent) -> bool:
    try:
        return agent.send("GET", "/health").status == 503
    except ConnectionError:  # idle connections of that moment are closed
        return False


def test_an_agent_that_leaves_lets_its_body_ask_until_it_ends(tmp_path: Path) -> None:
    with agent_in(tmp_path) as agent, talking(agent, TWICE) as open_:
        first = open_.call()
        agent.process.send_signal(signal.SIGTERM)
        until(lambda: leaves(agent))
        assert open_.reply(first, 1)
        open_.reply(open_.call(), 2)
        assert open_.wait().json == {"output": [1, 2]}
        assert agent.process.wait(5) == 0


def test_calls_of_a_worker_that_died_are_not_confused_with_its_heirs(agent: RunningAgent) -> None:
    source = """
        import os, threading, time
        def main(x, ctx):
            if x == 0:
                threading.Thread(target=ctx.state.get, args=("of the dead",), daemon=True).start()
                time.sleep(0.1)
                os._exit(1)
            return ctx.state.get("of the living")
    """
    with talking(agent, source, inputs=[{"x": 0}, {"x": 1}]) as open_:
        dead, living = open_.call(), open_.call()
        assert dead["id"] != living["id"]
        assert not open_.reply(dead, "astray")
        open_.reply(living, "right")
        first, second = open_.wait().json["outputs"]
    assert first["error"]["type"] == "worker_died"
    assert second == {"output": "right"}


@pytest.mark.parametrize(
    "frame", ["b'Q' + bytes(4)", "b'Q' + bytes([0, 0, 0, 3]) + b'abc'", "b'I' + bytes(4)"]
)
def test_a_body_that_breaks_the_channel_ends(agent: RunningAgent, frame: str) -> None:
    source = f"""
        import os, stat, time
        def main():
            for fd in range(3, 64):
                try:
                    if stat.S_ISSOCK(os.fstat(fd).st_mode):
                        os.write(fd, {frame})
                except OSError:
                    pass
            time.sleep(60)
    """
    assert agent.run(source).error["type"] == "worker_died"
    assert agent.output("def main(): return 1") == 1


def test_the_answer_tells_how_long_bodies_took(agent: RunningAgent) -> None:
    source = "import time\ndef main(x): time.sleep(x)"
    assert 0.2 <= agent.run(source, 0.2).seconds < 1
    assert 0.3 <= agent.run(source, inputs=[0.1, 0.2]).seconds < 1
    assert 0.1 <= agent.run(source + "; 1 / 0", 0.1).seconds < 1
    slow_to_load = "import time; time.sleep(1)\ndef main(): pass"
    assert agent.run(slow_to_load).seconds < 0.9
