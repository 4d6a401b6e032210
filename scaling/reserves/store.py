"""What calls have reserved of budgets, in Redis: a method for each script, for coroutines and for threads.

Each script happens whole or not at all, by the clock of the Redis server. A reserve ends by itself when its
call's time-out has passed; those who hold one tell it again every few seconds, so that a Redis which lost its
memory learns of it before the budget opens again. `domain.budgets.Till` says the same in Python.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Protocol
from uuid import UUID

import redis
import redis.asyncio

from scaling.domain.budgets import HeldUp, Till

TOLD_EVERY = 2.0  # seconds, by those who hold reserves
TOLD_AT_ONCE = 500
LEARNED_WITHIN = 15  # seconds, by the ledger of work that was done
OPENS_AFTER = 5.0  # seconds from when Redis first hears of a budget

_NAMES = ("reserve", "settle", "tell", "forget", "standing", "put", "drop")
_CLOCK = """local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
"""


@cache
def texts() -> dict[str, str]:
    folder = files(__package__) / "lua"
    common = (folder / "common.lua").read_text()
    return {name: f"{_CLOCK}{common}\n{(folder / (name + '.lua')).read_text()}" for name in _NAMES}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call may not begin now: `full` or `opening`, and of which budget."""

    kind: str
    budget: UUID


@dataclass(frozen=True, slots=True)
class Standing:
    """Of a budget: what is reserved, in its currency; how many calls wait for it, and the first of them."""

    reserved: float
    waiting: int
    held_up: HeldUp


@dataclass(frozen=True, slots=True)
class Reserved:
    """What a call has reserved of each of the budgets: `rate` (currency by the second) for `seconds`."""

    holder: str
    budgets: tuple[UUID, ...]
    seconds: float
    rate: float


@dataclass(frozen=True, slots=True)
class Asker:
    """A call that asks for those behind it, too, which may cost the same. `line`: what waits where it is
    refused; `waited`: seconds, of this call; `allowed`: calls of the line that may begin and have not
    reserved yet; `calls`: for how many it asks."""

    line: str
    waited: float
    allowed: int
    calls: int


class Client(Protocol):
    def register_script(self, script: str) -> Any: ...


class _Scripts:
    def __init__(self, client: Client, prefix: str) -> None:
        self._prefix = prefix
        self._scripts = {name: client.register_script(text) for name, text in texts().items()}

    def _run(self, name: str, *args: object, client: Any = None) -> Any:
        return self._scripts[name](args=[self._prefix, *map(str, args)], client=client)


def refusal_of(reply: list[bytes]) -> Refusal | None:
    kind = reply[0].decode()
    return None if kind == "ok" else Refusal(kind, UUID(reply[1].decode()))


class AsyncReserves(_Scripts):
    """For executors. Every method raises `redis.RedisError` when Redis is away."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        super().__init__(client, prefix)
        self._client = client

    async def reserve(
        self,
        holder: str,
        budgets: Sequence[UUID],
        *,
        pool: UUID,
        seconds: float,
        rate: float,
        priority: int = 0,
        only_ask: bool = False,
        asker: Asker | None = None,
    ) -> Refusal | None:
        """`seconds` at `rate` (currency by the second) in all of the budgets, or in none; None: it is done.
        Refused, too, where a budget leaves the pool no agent.

        Who is refused waits for that budget from then on, as long as it goes on asking: the holder, or the
        line that it asks for."""
        asks = asker or Asker(holder, 0.0, 0, 1)
        for_whom = (asks.line, int(asks.waited * 1000), asks.allowed, asks.calls)
        call = (holder, pool, repr(seconds), repr(rate), priority)
        return refusal_of(await self._run("reserve", *call, 0 if only_ask else 1, *for_whom, *budgets))

    async def settle(self, holder: str, budgets: Sequence[UUID], *, used: float = 0.0) -> None:
        """It has ended. `used`, in the currency, stays reserved for some seconds, less and less: until the
        ledger has it, of budgets that are not metered by agents' lives."""
        await self._run("settle", holder, repr(used), LEARNED_WITHIN, *budgets)

    async def tell(self, reserves: Sequence[Reserved]) -> None:
        """All of them again, many in one round trip."""
        for start in range(0, len(reserves), TOLD_AT_ONCE):
            async with self._client.pipeline(transaction=False) as pipe:
                for one in reserves[start : start + TOLD_AT_ONCE]:
                    args = (one.holder, repr(one.seconds), repr(one.rate), *one.budgets)
                    await self._run("tell", *args, client=pipe)
                await pipe.execute()

    async def forget(self, beginning: str, end: str, budgets: Sequence[UUID]) -> None:
        """Reserves of holders that begin with one and do not end with the other."""
        await self._run("forget", beginning, end, *budgets)


class Reserves(_Scripts):
    """For the ledger and for pages."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        super().__init__(client, prefix)
        self._client = client

    def reserve(
        self, holder: str, budgets: Sequence[UUID], *, pool: UUID, seconds: float, rate: float
    ) -> Refusal | None:
        """As `AsyncReserves.reserve`."""
        call = (holder, pool, repr(seconds), repr(rate), 0)
        return refusal_of(self._run("reserve", *call, 1, holder, 0, 0, 1, *budgets))

    def settle(self, holder: str, budgets: Sequence[UUID]) -> None:
        self._run("settle", holder, 0, LEARNED_WITHIN, *budgets)

    def standing(self, budget: UUID) -> Standing:
        reply = self._run("standing", budget)
        return Standing(float(reply[0]), int(reply[1]), HeldUp(float(reply[2]) / 1000, float(reply[3])))

    def put(self, budget: UUID, till: Till, most: Mapping[UUID, int], *, enforce: bool) -> None:
        """How a budget stands now, and how many agents each pool may have under it."""
        figures = (repr(till.limit), repr(till.spent), repr(till.rate), repr(till.committed), int(enforce))
        pools = (part for pair in most.items() for part in pair)
        self._run("put", budget, *figures, int(OPENS_AFTER * 1000), *pools)

    def drop(self, budget: UUID) -> None:
        self._run("drop", budget)
