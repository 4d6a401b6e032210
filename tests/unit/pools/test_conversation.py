"""One request's talk, against an agent that is only told replies."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
import pytest

from pools.facade.contracts import Lease, Listener
from pools.runtime.contract import AnswerTooLarge
from pools.services.broker import conversation
from pools.services.broker.conversation import Conversation
from tests.fakes.listener import FakeListener
from tests.fakes.pools import invocation, until

LEASE = Lease("lease-1", uuid4(), uuid4(), "agent:8000", 1, datetime.now(UTC), 1, 0.0)


class Agent:
    """Stands for `AgentHttp`: takes replies, or refuses the first `deaf` of them."""

    def __init__(self, deaf: int = 0) -> None:
        self.replies: list[dict[str, Any]] = []
        self.tries = 0
        self.at_once = self.most_at_once = 0
        self._deaf = deaf

    async def tell(
        self, address: str, path: str, payload: bytes, headers: dict[str, str], *, within: float
    ) -> bool:
        assert (address, path, headers) == ("agent:8000", "/reply", {"Authorization": "Bearer t"})
        self.tries += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if self.tries <= self._deaf:
            return False
        self.replies.append(orjson.loads(payload))
        return True


def talk(agent: Agent, listener: Listener | None) -> Conversation:
    http: Any = agent
    return Conversation(http, LEASE, {"Authorization": "Bearer t"}, invocation(1, listener=listener))


def ask(number: int, op: str = "state.increment", **args: Any) -> bytes:
    call = {"id": number, "op": op, "args": args or {"key": "n", "by": 1}, "item": 0}
    return orjson.dumps({"call": call}) + b"\n"


async def test_a_call_is_answered_under_its_number() -> None:
    agent = Agent()
    async with talk(agent, FakeListener()) as open_:
        await open_.hear(ask(7) + ask(8))
        await until(lambda: len(agent.replies) == 2)
    assert agent.replies == [
        {"lease": "lease-1", "id": 7, "result": 1},
        {"lease": "lease-1", "id": 8, "result": 2},
    ]


async def test_a_reply_that_did_not_arrive_is_sent_again() -> None:
    agent = Agent(deaf=2)
    async with talk(agent, FakeListener()) as open_:
        await open_.hear(ask(1))
        await until(lambda: agent.replies)
    assert [reply["result"] for reply in agent.replies] == [1], "the call itself runs once"


async def test_an_agent_that_takes_no_replies_is_left_alone_in_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(conversation, "RETRY_AFTER", (0.0, 0.0))
    agent = Agent(deaf=99)
    async with talk(agent, FakeListener()) as open_:
        await open_.hear(ask(1))
        await until(lambda: "took no reply to state.increment" in caplog.text)
    assert agent.tries == 3


async def test_replies_use_few_connections() -> None:
    agent = Agent()
    async with talk(agent, FakeListener()) as open_:
        await open_.hear(b"".join(map(ask, range(200))))
        await until(lambda: len(agent.replies) == 200)
    assert agent.most_at_once == conversation.REPLIES_AT_ONCE


class Odd(FakeListener):
    """Whose results and ears are not what they should be."""

    async def call(self, op: str, args: Mapping[str, Any], item: int) -> Any:
        return {"object": object(), "nan": float("nan"), "large": "x" * conversation.LONGEST_REPLY}[op]

    def progress(self, value: Any, item: int) -> None:
        raise RuntimeError("a fault of the platform")


@pytest.mark.parametrize(
    ("op", "kind"), [("object", "internal_error"), ("large", "too_large"), ("nan", None)]
)
async def test_results_without_a_form(op: str, kind: str | None) -> None:
    agent = Agent()
    async with talk(agent, Odd()) as open_:
        await open_.hear(ask(1, op))
        await until(lambda: agent.replies)
    (reply,) = agent.replies
    assert reply.get("error", {}).get("type") == kind
    if kind is None:
        assert reply["result"] is None


async def test_a_listener_that_fails_does_not_fail_the_step() -> None:
    async with talk(Agent(), Odd()) as open_:
        await open_.hear(b'{"progress": 1}\n{"output": 5}')
        (item,) = (await open_.result(200, 1.0)).results
    assert item.output == 5


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b'{"call": {"id": 1, "op": 5}}\n', "bad_call"),
        (ask(1, "x" * 200), "bad_call"),
        (ask(1, "state.set", key="k", value="x" * conversation.LONGEST_CALL), "too_large"),
        (ask(1, "state.nothing"), "not_found"),
    ],
)
async def test_calls_that_are_refused(line: bytes, kind: str) -> None:
    agent = Agent()
    async with talk(agent, FakeListener()) as open_:
        await open_.hear(line)
        await until(lambda: agent.replies)
    assert agent.replies[0]["error"]["type"] == kind


async def test_nothing_is_read_while_too_many_calls_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "MOST_OPEN", 3)
    listener = FakeListener()
    agent = Agent()
    async with talk(agent, listener) as open_:
        lines = b"".join(ask(number, "state.get", key="wait", default=None) for number in range(5))
        reading = asyncio.create_task(open_.hear(lines))
        await until(lambda: listener.open == 3)
        await asyncio.sleep(0.02)
        assert not reading.done()
        assert listener.open == 3
        listener.gate.set()
        await reading
        await until(lambda: len(agent.replies) == 5)


async def test_nothing_is_read_while_open_calls_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "MOST_BYTES_OPEN", 150)
    listener = FakeListener()
    async with talk(Agent(), listener) as open_:
        lines = b"".join(ask(number, "state.get", key="wait", default="x" * 100) for number in range(3))
        reading = asyncio.create_task(open_.hear(lines))
        await until(lambda: listener.open)
        await asyncio.sleep(0.02)
        assert listener.open == 1
        listener.gate.set()
        await reading


async def test_at_the_end_open_calls_are_cancelled_and_awaited() -> None:
    listener = FakeListener()
    async with talk(Agent(), listener) as open_:
        await open_.hear(ask(1, "state.get", key="wait"))
        await until(lambda: listener.open)
    assert (listener.open, listener.cancelled) == (0, 1)


class Late(Agent):
    """Takes replies, and a moment to say so."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self.said = 0

    async def tell(self, *given: Any, **more: Any) -> bool:
        done = await super().tell(*given, **more)
        await asyncio.sleep(self._seconds)
        self.said += 1
        return done


@pytest.mark.parametrize(("seconds", "said"), [(0.05, 1), (30, 0)])
async def test_a_reply_under_way_at_the_end_has_a_moment(
    seconds: float, said: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "LAST_REPLIES", 0.2)
    agent, listener = Late(seconds), FakeListener()
    async with talk(agent, listener) as open_:
        await open_.hear(ask(1) + ask(2, "state.get", key="wait"))
        await until(lambda: agent.replies)
    assert agent.said == said
    assert listener.cancelled == 1


async def test_a_request_that_failed_waits_for_no_reply() -> None:
    agent = Late(30)

    async def request() -> None:
        async with talk(agent, FakeListener()) as open_:
            await open_.hear(ask(1))
            await until(lambda: agent.replies)
            raise AnswerTooLarge

    with pytest.raises(AnswerTooLarge):
        await request()
    assert agent.said == 0


class Slow(FakeListener):
    """Takes a moment to end."""

    async def call(self, op: str, args: Mapping[str, Any], item: int) -> Any:
        self.open += 1
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            self.open -= 1


async def test_cancelled_again_while_calls_end_it_still_waits_for_them() -> None:
    listener = Slow()
    left = asyncio.Event()

    async def request() -> None:
        async with talk(Agent(), listener) as open_:
            await open_.hear(ask(1))
            await until(lambda: listener.open)
            left.set()

    task = asyncio.create_task(request())
    await left.wait()
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert listener.open == 0


async def test_the_size_of_an_answer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "MAX_ANSWER_BYTES", 1000)
    async with talk(Agent(), None) as open_:
        with pytest.raises(AnswerTooLarge):
            await open_.hear(b"x" * 1001)


async def test_a_call_in_the_last_line_has_nobody_to_answer() -> None:
    agent = Agent()
    async with talk(agent, FakeListener()) as open_:
        await open_.hear(b'{"output": 1}\n' + ask(1)[:-1])
        (item,) = (await open_.result(200, 1.0)).results
    assert item.error is not None
    assert agent.replies == []
