"""What an executor knows of reserves: calls that are cancelled, late, or settled while reserves are told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from scaling.facade.budgets import AsyncReserves, Reserved
from scaling.facade.contracts import BudgetTerms
from scaling.reserves.store import Refusal
from workflows.engine.purse import Bound, Purse

BUDGET, POOL = uuid4(), uuid4()
PAYING = (BudgetTerms(BUDGET, 1, "workflow", "w", enforced=True),)


class Spy(AsyncReserves):
    """Grants everything, as soon as it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.may.set()
        self.asked = asyncio.Event()
        self.log: list[tuple[str, str, float]] = []

    async def reserve(self, holder: str, budgets: Sequence[UUID], **_more: Any) -> Refusal | None:
        """Its answer comes even when it is cancelled, as one of redis-py's may."""
        self.asked.set()
        try:
            await self.may.wait()
        except asyncio.CancelledError:
            self.log.append(("reserved", holder, 0.0))
        return None

    async def tell(self, reserves: Sequence[Reserved]) -> None:
        self.asked.set()
        await self.may.wait()
        self.log += [("told", one.holder, one.seconds) for one in reserves]

    async def settle(self, holder: str, budgets: Sequence[UUID], *, used: float = 0.0) -> None:
        if budgets:
            self.log.append(("settled", holder, used))


@pytest.fixture
async def spy() -> Spy:
    return Spy()


def purse_of(spy: Spy) -> Purse:
    return Purse(spy, cast(Any, None))


async def hold(purse: Purse, seconds: float) -> bool:
    return await purse.refuses(PAYING, "h", POOL, Bound(seconds), 0.5, priority=0)


@pytest.mark.parametrize("only_ask", [False, True])
async def test_a_cancellation_that_got_lost_in_the_answer_is_heeded(spy: Spy, only_ask: bool) -> None:
    spy.may.clear()
    purse = purse_of(spy)
    asking = asyncio.create_task(
        purse.refuses(PAYING, "h", POOL, Bound(9.0), 0.5, priority=0, only_ask=only_ask)
    )
    await spy.asked.wait()
    asking.cancel()
    spy.may.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert spy.log[-1] == ("settled", "h", 0.0), "what Redis reserved for nobody is given back"
    spy.log.clear()
    await purse._tell_all(0.0)
    assert spy.log == []


async def test_a_call_that_outlasts_its_reserve_is_told_no_longer_and_settled_all_the_same(spy: Spy) -> None:
    purse = purse_of(spy)
    assert not await hold(purse, 10.0)
    spy.log.clear()
    await purse._tell_all(asyncio.get_running_loop().time() + 11.0)
    assert spy.log == []
    await purse.settle("h", 3.5)
    assert spy.log == [("settled", "h", 3.5)]


async def test_what_is_settled_while_reserves_are_told_is_settled_after_that(spy: Spy) -> None:
    purse = purse_of(spy)
    assert not await hold(purse, 10.0)
    spy.log.clear()
    spy.asked.clear()
    spy.may.clear()
    telling = asyncio.create_task(purse._tell_all(asyncio.get_running_loop().time()))
    await spy.asked.wait()
    settling = asyncio.create_task(purse.settle("h", 1.0))
    await asyncio.sleep(0)
    spy.may.set()
    await asyncio.gather(telling, settling)
    assert [what for what, _, _ in spy.log] == ["told", "settled"]
