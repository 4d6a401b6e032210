"""Bodies that talk with their executor, on every runtime: what is said is heard at once, what is asked is
answered, and nothing is left when the request has ended, however it ended."""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from aflow_site.kernel.json import to_json
from pools.facade.contracts import (
    AgentLost,
    AgentTimeout,
    Handler,
    InvocationResult,
    LargeOutput,
    Lease,
    LeaseLost,
)
from pools.runtime.base import AgentHandle, Capability, Runtime
from pools.runtime.contract import AgentHttp, bearer
from pools.services.broker import conversation
from pools.services.broker.calls import Caller, Held
from tests.contract.pools.agents import able, kill, new_spec, ready
from tests.fakes.listener import FakeListener
from tests.fakes.pools import code, invocation, until


@dataclass
class Executor:
    """The broker's part of a request, with a lease of nobody's making."""

    http: AgentHttp
    caller: Caller
    handle: AgentHandle
    held: Held

    async def run(self, source: str, *inputs: Any, **options: Any) -> InvocationResult:
        """`inputs` default to an empty object; no task of the request is left at its end, however it ends."""
        before = asyncio.all_tasks()
        options.setdefault("context", {"run_id": "r"})
        request = invocation(*(inputs or ({},)), runs=code(source), **options)
        try:
            return await self.caller.invoke(self.held, request)
        finally:
            left = asyncio.all_tasks() - before
            assert not [task for task in left if "_answer" in repr(task.get_coro())]

    def begin(self, source: str, *inputs: Any, **options: Any) -> asyncio.Task[InvocationResult]:
        return asyncio.create_task(self.run(source, *inputs, **options))


@pytest.fixture
async def executor(runtime: Runtime, http: AgentHttp) -> Executor:
    spec = new_spec()
    handle = await runtime.create(spec)
    await ready(http, handle, spec)
    lease = Lease("lease-1", spec.pool_id, spec.agent_id, handle.address, 1, datetime.now(UTC), 1000, 0.0)
    return Executor(http, Caller(http), handle, Held(lease, bearer(spec.token)))


def output(result: InvocationResult) -> Any:
    (item,) = result.results
    assert item.error is None, item.error
    return item.output


TWICE = "def main(ctx): return [ctx.state.increment('n'), ctx.state.increment('n', 2)]"
WAITS = "def main(ctx): return ctx.state.get('wait')"


async def test_a_body_asks_twice(executor: Executor) -> None:
    listener = FakeListener()
    assert output(await executor.run(TWICE, listener=listener)) == [1, 3]
    assert listener.state == {"n": 3}
    assert listener.asked[0] == ("state.increment", {"key": "n", "by": 1}, 0)


async def test_fifty_calls_at_once(executor: Executor) -> None:
    source = """
import asyncio
async def main(ctx):
    return await asyncio.gather(*[ctx.state.get("meet") for _ in range(50)])
"""
    listener = FakeListener(crowd=50)
    assert output(await executor.run(source, listener=listener)) == ["met"] * 50


async def test_calls_beyond_every_bound(executor: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The executor handles a few at a time; the others wait, and all are answered."""
    monkeypatch.setattr(conversation, "MOST_OPEN", 8)
    source = """
import asyncio
async def main(ctx):
    return sorted(await asyncio.gather(*[ctx.state.increment("n") for _ in range(600)]))
"""
    listener = FakeListener()
    assert output(await executor.run(source, listener=listener)) == list(range(1, 601))


async def test_what_is_told_is_heard_before_the_end(executor: Executor) -> None:
    source = """
def main(ctx):
    ctx.log("begins")
    ctx.progress(0.5)
    ctx.emit_progress(0.7, "more")
    ctx.metric("rows", 3)
    return ctx.state.get("wait")
"""
    listener = FakeListener()
    running = executor.begin(source, listener=listener)
    await until(lambda: listener.open)
    assert listener.heard == [
        ("log", "begins", 0),
        ("progress", 0.5, 0),
        ("progress", {"value": 0.7, "message": "more"}, 0),
        ("metric", "rows", 3.0, 0),
    ]
    assert not running.done()
    listener.gate.set()
    result = await running
    assert output(result) == "waited"
    assert result.logs == ()


@pytest.mark.parametrize("says", ["", "print('x'); "])
async def test_a_large_output_is_not_held(executor: Executor, says: str) -> None:
    """Whether the answer is in one piece or comes in lines."""
    source = f"def main(): {says}return [f'item {{n}} é' for n in range(100_000)]"
    found = output(await executor.run(source, listener=FakeListener(), spool_above=65_536))
    assert isinstance(found, LargeOutput)
    assert found.text.rewind().read() == to_json([f"item {n} é" for n in range(100_000)])


async def test_items_of_a_batch_are_told_apart(executor: Executor) -> None:
    source = "def main(x, ctx):\n    ctx.progress(x)\n    return ctx.state.increment('n', x)"
    listener = FakeListener()
    result = await executor.run(source, {"x": 5}, {"x": 7}, batch=True, listener=listener)
    assert [item.output for item in result.results] == [5, 12]
    assert listener.heard == [("progress", 5, 0), ("progress", 7, 1)]
    assert [item for _, _, item in listener.asked] == [0, 1]


async def test_without_a_listener_logs_are_collected_and_calls_are_refused(executor: Executor) -> None:
    source = """
def main(ctx):
    ctx.log("here")
    ctx.progress(1)
    try:
        ctx.state.get("k")
    except Exception as exc:
        return str(exc)
"""
    result = await executor.run(source)
    assert output(result) == "state.get: nobody answers calls here."
    assert [line.text for line in result.logs] == ["here"]


async def test_errors_of_calls_reach_the_body(executor: Executor) -> None:
    source = """
async def main(ctx):
    told = []
    for ask in (lambda: ctx.state.set("bad", 1), lambda: ctx.state.delete("k"), ctx.state.all):
        try:
            await ask()
        except Exception as exc:
            told.append(str(exc))
    return told
"""
    assert output(await executor.run(source, listener=FakeListener())) == [
        "The key is bad.",
        "There is no state.delete.",
        "The platform could not answer state.all; its log tells why.",
    ]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_results_come_as_a_stream(executor: Executor, kind: str) -> None:
    source = "def main(results): return list(results)"
    if kind == "async":
        source = "async def main(results): return [one async for one in results]"
    listener = FakeListener(results=7, page=3)
    context = {"stream": "results"}
    result = await executor.run(source, {"results": None}, context=context, listener=listener)
    assert output(result) == list(range(7))
    assert [args["after"] for _, args, _ in listener.asked] == [0, 3, 6]


async def test_the_params_come_with_the_context(executor: Executor) -> None:
    source = "def main(ctx): return ctx.params"
    assert output(await executor.run(source, context={"params": {"p": 1}})) == {"p": 1}


# --- ends ----------------------------------------------------------------------------------------------


async def test_a_reply_after_the_end_is_not_delivered(executor: Executor) -> None:
    assert output(await executor.run(TWICE, listener=FakeListener())) == [1, 3]
    reply = b'{"lease":"lease-1","id":1,"result":1}'
    url = f"http://{executor.handle.address}/reply"
    answer = await executor.http.send(url, reply, executor.held.headers, limit=1000)
    assert (answer.status, answer.body.replace(b" ", b"")) == (200, b'{"delivered":false}')
    refused = await executor.http.send(url, reply, bearer("another"), limit=1000)
    assert refused.status == 401


async def test_calls_that_a_body_left_open_end_with_it(executor: Executor) -> None:
    source = """
import asyncio
async def main(ctx):
    left = asyncio.ensure_future(ctx.state.get("wait"))
    await asyncio.sleep(0.3)
    return "done"
"""
    listener = FakeListener()
    assert output(await executor.run(source, listener=listener)) == "done"
    assert (listener.open, listener.cancelled) == (0, 1)
    assert output(await executor.run(TWICE, listener=listener)) == [1, 3]


async def test_cancelled_during_a_call(executor: Executor) -> None:
    listener = FakeListener()
    running = executor.begin(WAITS, listener=listener)
    await until(lambda: listener.open)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (listener.open, listener.cancelled) == (0, 1)
    assert await executor.held.settled()
    assert output(await executor.run(TWICE, listener=listener)) == [1, 3]


async def test_out_of_time_during_a_call(executor: Executor) -> None:
    listener = FakeListener()
    running = executor.begin(WAITS, listener=listener, timeout=0.5)
    started = time.monotonic()
    try:
        (item,) = (await running).results
    except AgentTimeout:
        # One that does not keep deadlines.
        assert executor.held.must_end
    else:
        assert item.error is not None
        assert item.error.type == "timeout"
        assert output(await executor.run(TWICE, listener=listener)) == [1, 3]
    assert 0.4 < time.monotonic() - started < 4
    assert (listener.open, listener.cancelled) == (0, 1)


async def test_the_lease_is_lost_during_a_call(executor: Executor) -> None:
    listener = FakeListener()
    running = executor.begin(WAITS, listener=listener)
    await until(lambda: listener.open)
    executor.held.lose()
    with pytest.raises(LeaseLost):
        await running
    assert (listener.open, listener.cancelled) == (0, 1)


async def test_an_agent_that_leaves_lets_its_body_ask_to_the_end(
    runtime: Runtime, executor: Executor
) -> None:
    source = "def main(ctx): return [ctx.state.get('wait'), ctx.state.increment('n')]"
    listener = FakeListener()
    running = executor.begin(source, listener=listener)
    await until(lambda: listener.open)
    leaving = asyncio.create_task(runtime.remove(executor.held.lease.agent_id, grace=10))
    await asyncio.sleep(0.5)
    assert not leaving.done()
    listener.gate.set()
    assert output(await running) == ["waited", 1]
    await leaving


async def test_the_agent_dies_during_a_call(runtime: Runtime, executor: Executor) -> None:
    listener = FakeListener()
    running = executor.begin(WAITS, listener=listener)
    await until(lambda: listener.open)
    await kill(runtime, executor.handle)
    with pytest.raises(AgentLost):
        await running
    assert (listener.open, listener.cancelled) == (0, 1)


async def test_too_large_an_answer_ends_its_calls(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls themselves do not count: a long body may make any number of them."""
    monkeypatch.setattr(conversation, "MAX_ANSWER_BYTES", 4000)
    many = "def main(ctx): return [ctx.state.increment('n') for _ in range(300)][-1]"
    listener = FakeListener()
    assert output(await executor.run(many, listener=listener)) == 300
    source = """
import asyncio
async def main(ctx):
    left = asyncio.ensure_future(ctx.state.get("wait"))
    await asyncio.sleep(0.2)
    for _ in range(100):
        ctx.log("x" * 100)
"""
    (item,) = (await executor.run(source, listener=listener)).results
    assert item.error is not None
    assert item.error.type == "bad_answer"
    assert executor.held.must_end
    assert (listener.open, listener.cancelled) == (0, 1)


async def test_the_bodys_own_time_is_no_start_up(executor: Executor) -> None:
    source = "import time\ndef main(seconds): time.sleep(seconds)"
    await executor.run(source, {"seconds": 0})
    result = await executor.run(source, {"seconds": 1.5})
    assert result.startup_seconds is not None
    assert 0 <= result.startup_seconds < 1
    talked = await executor.run(TWICE, listener=FakeListener())
    assert talked.startup_seconds is not None


@pytest.mark.parametrize("runtime", able(Capability.BUNDLES), indirect=True)
async def test_a_bundle_that_is_refused_is_the_steps_error(executor: Executor) -> None:
    content = b"no zip file"
    handler = Handler("module:function", hashlib.sha256(content).hexdigest(), lambda: content)
    for request in (invocation(1, runs=handler), replace(invocation(1, 2, runs=handler), batch=True)):
        result = await executor.caller.invoke(executor.held, request)
        assert len(result.results) == len(request.inputs)
        for item in result.results:
            assert item.error is not None
            assert item.error.type == "bad_bundle"
            assert item.error.message.startswith("The bundle is no zip file that can be read")


async def test_two_requests_of_one_process_do_not_mix(runtime: Runtime, http: AgentHttp) -> None:
    specs = [new_spec() for _ in range(2)]
    handles = await asyncio.gather(*map(runtime.create, specs))
    listeners = FakeListener(), FakeListener()
    caller = Caller(http)
    many = "def main(ctx): return [ctx.state.increment('n') for _ in range(40)][-1]"

    async def run(number: int) -> Any:
        spec, handle = specs[number], handles[number]
        await ready(http, handle, spec)
        lease = Lease(uuid4().hex, spec.pool_id, spec.agent_id, handle.address, 1, datetime.now(UTC), 9, 0.0)
        request = invocation({}, runs=code(many), listener=listeners[number])
        return output(await caller.invoke(Held(lease, bearer(spec.token)), request))

    assert list(await asyncio.gather(run(0), run(1))) == [40, 40]
    assert [listener.state for listener in listeners] == [{"n": 40}, {"n": 40}]
