"""Lines of calls that wait for the same money: one of each asks the budgets, for all of them.

Ten thousand calls that ask each second would keep Redis busy, and each other from being heard. Does not: ask
(`agents` does).
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import AsyncIterator, Callable


class Line:
    """Of calls of one run in one pool, each of which may cost the same. The numbers are theirs, in the order
    in which they came: one that was let go and comes back is before those that came later.

    `allowed`: calls that were let go, and have not reserved yet what they may cost.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.allowed = 0
        self._asks = False  # somebody does
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []  # a heap
        self._stirred = asyncio.Event()
        self._stuck = False
        self._untold: dict[int, Callable[[], None]] = {}  # who does not know that it is stuck

    @property
    def length(self) -> int:
        """Who asks, and those behind."""
        return self._asks + sum(not turn.done() for _, turn in self._waiting)

    @property
    def idle(self) -> bool:
        """Nobody asks, waits, or was let go and has not reserved yet."""
        return not (self._asks or self._waiting or self.allowed)

    @contextlib.asynccontextmanager
    async def turn(self, number: int, on_stuck: Callable[[], None]) -> AsyncIterator[None]:
        """Around the asking: waits until nobody else asks. `on_stuck` is called when the line does not go on,
        or at once where it does not."""
        try:
            if self._asks:
                await self._wait(number, on_stuck)
            self._asks, self._untold[number] = True, on_stuck
            try:
                yield
            finally:
                self._next()
        finally:
            self._untold.pop(number, None)

    async def _wait(self, number: int, on_stuck: Callable[[], None]) -> None:
        if self._stuck:
            on_stuck()
        else:
            self._untold[number] = on_stuck
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (number, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had come
                self._next()
            raise

    def _next(self) -> None:
        self._asks = self._stuck = False
        while self._waiting and not self._asks:
            _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                self._asks = True

    async def stuck(self, at_most: float) -> None:
        """Who asks was refused: until there may be money, or the seconds are over."""
        self._stuck = True
        for on_stuck in self._untold.values():
            on_stuck()
        self._untold.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most):
                await self._stirred.wait()
        self._stirred.clear()

    def stir(self) -> None:
        """There may be money: a call has ended, or was not begun."""
        self._stirred.set()
