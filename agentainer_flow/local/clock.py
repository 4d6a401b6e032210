"""The time that local runs live in.

`Clock` skips what nobody works in: a wait of ten minutes takes no time when nothing else is left to do.
`ManualClock` stands still until a test moves it.
"""

from __future__ import annotations

import asyncio
import heapq
import re
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*$")
_UNITS = {"ms": 0.001, "s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
# How many turns of the event loop without news mean that nothing is left to do.
_QUIET_TURNS = 100


def seconds(value: Any) -> float:
    """Of a duration such as "90s", a number or a timedelta. Raises ValueError."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('write a duration such as "90s", "10m", "1h", or a number of seconds')
    return float(match[1]) * _UNITS[match[2]]


class Sleeper:
    """Somebody waits until `due`. `skip`: the time until then may be skipped."""

    def __init__(self, due: float, order: int, *, skip: bool) -> None:
        self.due, self.order, self.skip = due, order, skip
        self.woken = asyncio.Event()
        self.gone = False

    def __lt__(self, other: Sleeper) -> bool:
        return (self.due, self.order) < (other.due, other.order)


class Clock:
    """Of one run at a time, and of what that starts. `now` and `expect` are for any thread, the other methods
    for the run's event loop.

    `on_stuck` is called when nothing is at work and no time may be skipped: somebody must do something.
    `alone`: nobody will come meanwhile, so that the time-outs of waiting for them may be skipped too.
    """

    alone = False

    def __init__(self) -> None:
        self.on_stuck: Callable[[], None] = lambda: None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sleepers: list[Sleeper] = []
        self._busy = 0
        self._order = 0
        self._quiet_since = 0  # a turn counter; news sets it back
        self._looking = False

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time() + self._ahead

    _ahead = 0.0

    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.now(), UTC)

    def expect(self) -> None:
        """A run is about to begin, in a thread of its own."""

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """A run begins."""
        self._loop, self._sleepers, self._busy, self._looking = loop, [], 0, False
        self.news()

    # --- waiting ---------------------------------------------------------------------------------

    async def sleep(self, duration: float, *, skip: bool = True) -> None:
        """`skip` False: only real time may pass, as where somebody may still come."""
        if duration <= 0:
            return
        loop = asyncio.get_running_loop()
        self._order += 1
        sleeper = Sleeper(self.now() + duration, self._order, skip=skip)
        heapq.heappush(self._sleepers, sleeper)
        timer = self._timer(loop, sleeper, duration)
        self.news()
        try:
            await sleeper.woken.wait()
        finally:
            sleeper.gone = True
            if timer is not None:
                timer.cancel()

    def _timer(
        self, loop: asyncio.AbstractEventLoop, sleeper: Sleeper, duration: float
    ) -> asyncio.TimerHandle | None:
        return loop.call_later(min(duration, 1e6), self._wake_due)

    async def within(self, duration: float | None, work: Coroutine[Any, Any, T], *, skip: bool = True) -> T:
        """What the work gives. Raises TimeoutError when it takes longer; it is cancelled then."""
        if duration is None:
            return await work
        task = asyncio.ensure_future(work)
        alarm = asyncio.ensure_future(self.sleep(duration, skip=skip))
        try:
            await asyncio.wait({task, alarm}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise TimeoutError
            return task.result()
        finally:
            for one in (task, alarm):
                one.cancel()
            await asyncio.gather(task, alarm, return_exceptions=True)

    # --- who is at work --------------------------------------------------------------------------

    @contextmanager
    def busy(self) -> Iterator[None]:
        """While code of the user's runs, time passes by itself."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            self.news()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """That code waits for the run itself meanwhile."""
        self._busy -= 1
        self.news()
        try:
            yield
        finally:
            self._busy += 1

    def news(self) -> None:
        """Something happened: look again whether anything is left to do."""
        self._quiet_since = 0
        if self._loop is not None and not self._looking:
            self._looking = True
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        assert self._loop is not None
        if self._busy > 0:
            self._looking = False  # the end of the work is news
        elif self._quiet_since < _QUIET_TURNS:
            self._quiet_since += 1
            self._loop.call_soon(self._look)
        else:
            self._looking = False
            self._nothing_to_do()

    def _next(self) -> Sleeper | None:
        while self._sleepers and self._sleepers[0].gone:
            heapq.heappop(self._sleepers)
        waiting = [one for one in self._sleepers if one.skip and not one.gone]
        return min(waiting, default=None)

    def _nothing_to_do(self) -> None:
        sleeper = self._next()
        if sleeper is None:
            self.on_stuck()
            return
        self._ahead += max(0.0, sleeper.due - self.now())
        self._wake_due()

    def _wake_due(self) -> None:
        while self._sleepers and (self._sleepers[0].gone or self._sleepers[0].due <= self.now() + 1e-6):
            heapq.heappop(self._sleepers).woken.set()
        self.news()


class ManualClock(Clock):
    """Stands still at `start` (a datetime; left out, the beginning of 2027) until `advance`.

    A run with it goes on in the background: `execution = run_workflow_locally(…, clock=clock,
    mode=ExecutionMode.ASYNC)`, then `clock.advance("10m")`.
    """

    def __init__(self, start: datetime | None = None) -> None:
        super().__init__()
        self._now = (start or datetime(2027, 1, 1, tzinfo=UTC)).timestamp()
        self._settled = threading.Event()
        self._settled.set()  # without a run there is nothing to do

    def now(self) -> float:
        return self._now

    def expect(self) -> None:
        self._settled.clear()

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        self._settled.clear()
        super().bind(loop)

    def settle(self, timeout: float = 60.0) -> None:
        """Returns when the run has nothing left to do at this time. Raises TimeoutError."""
        if not self._settled.wait(timeout):
            raise TimeoutError(f"The run is still at work after {timeout:g} s.")

    def advance(self, duration: float | str | timedelta, timeout: float = 60.0) -> None:
        """Moves the time, from due time to due time, and lets the run do what is then to be done. Raises
        ValueError for what is no duration."""
        ahead = seconds(duration)
        if not 0 <= ahead < float("inf"):
            raise ValueError(f"time goes forward, and not by {duration!r}")
        self.settle(timeout)
        goal = self._now + ahead
        while (loop := self._loop) is not None and not loop.is_closed():
            due = min((one.due for one in list(self._sleepers) if not one.gone), default=goal)
            self._now = max(self._now, min(due, goal))
            self._settled.clear()
            try:
                loop.call_soon_threadsafe(self._wake_due)
            except RuntimeError:  # the run has just ended
                break
            self.settle(timeout)
            if due >= goal:
                break
        self._now = goal

    def finish(self) -> None:
        """The run has ended."""
        self._settled.set()

    def _timer(self, loop: asyncio.AbstractEventLoop, sleeper: Sleeper, duration: float) -> None:
        return None

    def news(self) -> None:
        self._settled.clear()
        super().news()

    def _nothing_to_do(self) -> None:
        self._settled.set()
