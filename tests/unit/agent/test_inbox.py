"""Who reads the worker's socket: each waiter for all others, and none when nobody waits."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentainer_flow.agent.frames import POSITION, REPLY, RUN, Decoder, frame
from agentainer_flow.agent.inbox import Ended, Inbox
from tests.unit.agent.running import until


class Agent:
    """The other end; `asked` are the numbers and payloads of the calls that came."""

    def __init__(self) -> None:
        self.ours, theirs = socket.socketpair()
        self.theirs = theirs
        self.asked: list[tuple[int, bytes]] = []
        self.running = True
        self.inbox = Inbox(theirs, self._send)

    def _send(self, request: int, payload: bytes) -> bool:
        if self.running:
            self.asked.append((*POSITION.unpack_from(payload), payload[POSITION.size :]))
        return self.running

    def reply(self, number: int, payload: bytes) -> None:
        self.ours.sendall(frame(REPLY, payload, POSITION.pack(number)))

    def order(self, payload: bytes) -> None:
        self.ours.sendall(frame(RUN, payload))


@pytest.fixture
def agent() -> Iterator[Agent]:
    made = Agent()
    yield made
    made.ours.close()
    made.theirs.close()


def test_orders_come_in_their_order(agent: Agent) -> None:
    agent.order(b"1")
    agent.order(b"2")
    assert [agent.inbox.read(), agent.inbox.read()] == [(RUN, b"1"), (RUN, b"2")]


def test_replies_that_nobody_waits_for_are_dropped(agent: Agent) -> None:
    agent.reply(9, b"late")
    agent.order(b"1")
    assert agent.inbox.read() == (RUN, b"1")


def test_a_thread_reads_for_others_and_hands_over(agent: Agent) -> None:
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(agent.inbox.ask, 1, str(n).encode()) for n in range(8)]
        until(lambda: len(agent.asked) == 8)
        for number, payload in reversed(agent.asked):
            agent.reply(number, payload * 2)
        assert [one.result(5) for one in waiting] == [str(n).encode() * 2 for n in range(8)]


def test_an_order_reaches_the_main_thread_while_another_reads(agent: Agent) -> None:
    with ThreadPoolExecutor(2) as pool:
        reader = pool.submit(agent.inbox.ask, 1, b"?")
        until(lambda: agent.asked)
        main = pool.submit(agent.inbox.read)
        agent.order(b"1")
        assert main.result(5) == (RUN, b"1")
        agent.reply(1, b"!")
        assert reader.result(5) == b"!"
        # And the other way round: the main thread reads on when the reader has what it wanted.
        reader = pool.submit(agent.inbox.ask, 1, b"?")
        until(lambda: len(agent.asked) == 2)
        main = pool.submit(agent.inbox.read)
        agent.reply(2, b"!")
        assert reader.result(5) == b"!"
        agent.order(b"2")
        assert main.result(5) == (RUN, b"2")


async def test_a_loop_and_a_thread_share_the_socket(agent: Agent) -> None:
    tasks = [asyncio.create_task(agent.inbox.ask_async(1, b"loop")) for _ in range(20)]
    threads = [asyncio.create_task(asyncio.to_thread(agent.inbox.ask, 1, b"thread")) for _ in range(3)]
    await asyncio.to_thread(until, lambda: len(agent.asked) == 23)
    for number, payload in agent.asked:
        agent.reply(number, payload)
        await asyncio.sleep(0)
    assert await asyncio.gather(*tasks, *threads) == [b"loop"] * 20 + [b"thread"] * 3
    assert not agent.inbox._loops
    assert not agent.inbox._open


def test_an_ended_request_sends_nothing(agent: Agent) -> None:
    agent.running = False
    with pytest.raises(Ended):
        agent.inbox.ask(1, b"?")
    with pytest.raises(Ended):
        asyncio.run(agent.inbox.ask_async(1, b"?"))


def test_an_empty_reply_is_the_requests_end(agent: Agent) -> None:
    agent.reply(1, b"")
    with pytest.raises(Ended):
        agent.inbox.ask(1, b"?")


def test_when_the_agent_is_gone_nobody_waits(agent: Agent) -> None:
    async def ask() -> None:
        waiting = [asyncio.create_task(agent.inbox.ask_async(1, b"?")) for _ in range(300)]
        await asyncio.sleep(0.01)
        agent.ours.close()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(one, Ended) for one in outcomes)

    asyncio.run(ask())
    with pytest.raises(EOFError):
        agent.inbox.read()
    with pytest.raises(Ended):
        agent.inbox.ask(1, b"?")


def test_threads_that_wait_hear_of_it_too(agent: Agent) -> None:
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(agent.inbox.ask, 1, b"?") for _ in range(3)]
        main = pool.submit(agent.inbox.read)
        until(lambda: len(agent.asked) == 3)
        agent.ours.close()
        for one in waiting:
            assert isinstance(one.exception(5), Ended)
        assert isinstance(main.exception(5), EOFError)


def test_calls_beyond_the_bound_are_sent_in_their_order(agent: Agent) -> None:
    with ThreadPoolExecutor(300) as pool:
        waiting = [pool.submit(agent.inbox.ask, 1, b"?") for _ in range(300)]
        until(lambda: len(agent.inbox._unsent) == 44)
        assert len(agent.asked) == 256
        for number in range(1, 301):
            until(lambda number=number: any(one == number for one, _ in agent.asked))
            agent.reply(number, b"!")
        assert [one.result(5) for one in waiting] == [b"!"] * 300


def test_what_was_not_sent_ends_with_the_request(agent: Agent) -> None:
    before = threading.active_count()
    with ThreadPoolExecutor(300) as pool:
        waiting = [pool.submit(agent.inbox.ask, 1, b"?") for _ in range(300)]
        until(lambda: len(agent.inbox._unsent) == 44)
        agent.inbox.forget_unsent()
        until(lambda: sum(one.done() for one in waiting) == 44)
        for number in range(1, 257):
            agent.reply(number, b"")
        assert all(isinstance(one.exception(5), Ended) for one in waiting)
    assert threading.active_count() == before


def test_messages_are_read_however_large(agent: Agent) -> None:
    payload = b"x" * 1_000_000
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(agent.inbox.ask, 1, b"?")
        agent.reply(1, payload)
        assert waiting.result(5) == payload
    assert Decoder().feed(frame(REPLY, b"rest", b"lead ")) == [(REPLY, b"lead rest")]
