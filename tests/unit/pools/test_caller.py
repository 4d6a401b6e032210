"""What the answers of an agent mean for the lease and the step, without a connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
import pytest

from pools.facade.contracts import AgentLost, Code, Handler, Lease, LeaseLost
from pools.runtime.contract import Answer, bearer
from pools.services.broker.calls import Caller, Held
from tests.fakes.pools import SQUARE, invocation

BUNDLE = Handler("module:function", "b" * 64, lambda: b"zip")


def answer(status: int, **body: Any) -> Answer:
    return Answer(status, "application/json", orjson.dumps(body))


def refused(status: int, kind: str, message: str = "why") -> Answer:
    return answer(status, error={"type": kind, "message": message})


class Agent:
    """Gives these answers; `sent` are the methods and paths of the requests."""

    def __init__(self, *answers: Answer) -> None:
        self.sent: list[str] = []
        self._answers = list(answers)

    async def send(self, url: str, body: bytes, headers: Any, *, method: str = "POST", **_: Any) -> Answer:
        self.sent.append(f"{method} /{url.split('/')[3]}")
        return self._answers.pop(0)


def caller(agent: Agent) -> tuple[Caller, Held]:
    http: Any = agent
    lease = Lease("lease", uuid4(), uuid4(), "agent:8000", 1, datetime.now(UTC), 9, 0.0)
    return Caller(http), Held(lease, bearer("t"))


@pytest.mark.parametrize(
    ("upload", "kind", "message"),
    [
        (refused(507, "bad_bundle", "There is no space."), "bad_bundle", "There is no space."),
        (refused(400, "bad_bundle", "No zip file."), "bad_bundle", "No zip file."),
        (refused(401, "unauthorized", "Wrong token."), "unauthorized", "Wrong token."),
        (Answer(502, "text/html", b"<html>"), "bad_bundle", "with status 502"),
    ],
)
async def test_a_bundle_that_is_refused_is_the_steps_error(upload: Answer, kind: str, message: str) -> None:
    agent = Agent(refused(409, "bundle_missing"), upload)
    calls, held = caller(agent)
    (result,) = (await calls.invoke(held, invocation(1, runs=BUNDLE))).results
    assert result.error is not None
    assert result.error.type == kind
    assert message in result.error.message
    assert agent.sent == ["POST /invoke", "PUT /bundles"]
    assert not held.must_end


@pytest.mark.parametrize("runs", [BUNDLE, SQUARE])
async def test_what_the_agent_lacks_is_sent_once(runs: Code | Handler) -> None:
    if isinstance(runs, Handler):
        agent = Agent(
            refused(409, "bundle_missing"), answer(200), answer(200, output=1), answer(200, output=2)
        )
    else:
        agent = Agent(refused(409, "code_missing"), answer(200, output=1), answer(200, output=2))
    calls, held = caller(agent)
    for expected in (1, 2):
        (result,) = (await calls.invoke(held, invocation(1, runs=runs))).results
        assert result.output == expected


async def test_an_agent_that_leaves_is_lost_and_not_the_steps_fault() -> None:
    calls, held = caller(Agent(refused(503, "shutting_down")))
    with pytest.raises(AgentLost):
        await calls.invoke(held, invocation(1))
    assert held.must_end


async def test_other_refusals_are_errors() -> None:
    calls, held = caller(Agent(refused(503, "busy")))
    (result,) = (await calls.invoke(held, invocation(1))).results
    assert result.error is not None
    assert result.error.type == "busy"


async def test_a_newer_lease_voids_this_one() -> None:
    calls, held = caller(Agent(refused(409, "stale_fence")))
    with pytest.raises(LeaseLost):
        await calls.invoke(held, invocation(1))
    assert held.lost


async def test_start_up_is_the_requests_time_without_the_bodys() -> None:
    calls, held = caller(Agent(answer(200, output=1, seconds=0), answer(200, output=1)))
    told = await calls.invoke(held, invocation(1))
    assert told.startup_seconds is not None
    assert 0 <= told.startup_seconds < 1
    assert (await calls.invoke(held, invocation(1))).startup_seconds is None


class Silent(Agent):
    """Never answers."""

    async def send(self, *_: Any, **__: Any) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    async def tell(self, *_: Any, **__: Any) -> bool:
        return True


@pytest.fixture
async def under_way() -> AsyncIterator[tuple[Held, asyncio.Task[Any]]]:
    calls, held = caller(Silent())
    asking = asyncio.create_task(calls.invoke(held, invocation(1)))
    await asyncio.sleep(0)
    assert held.busy
    yield held, asking
    asking.cancel()


async def test_a_lease_that_is_lost_twice_ends_its_requests_once(
    under_way: tuple[Held, asyncio.Task[Any]],
) -> None:
    """A heartbeat and a message may tell of it in one turn of the loop."""
    held, asking = under_way
    held.lose()
    held.lose()
    with pytest.raises(LeaseLost):
        await asking


@pytest.mark.parametrize("lose", [Held.lose, lambda held: setattr(held, "lost", True)])
async def test_who_is_cancelled_while_its_lease_is_lost_is_cancelled(
    under_way: tuple[Held, asyncio.Task[Any]], lose: Callable[[Held], None]
) -> None:
    held, asking = under_way
    lose(held)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert held.stopping is not None
    assert await held.stopping
