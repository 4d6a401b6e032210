"""What the parts of a driver share: the run, its book, the way to agents, news from outside, the clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Executor as ThreadPool
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, ParamSpec, TypeVar

from django.db import close_old_connections

from aflow_site.kernel import tracing
from aflow_site.kernel.clock import Clock
from aflow_site.kernel.json import to_json
from pools.facade.contracts import LargeOutput, Lease, LeaseOutcome
from workflows.domain.artifacts import LIMIT, is_ref, may_be_large, packed, read_ref, unpacked
from workflows.domain.states import BUDGET
from workflows.domain.steps import CallingStep
from workflows.engine.agents import Agents
from workflows.engine.book import Book
from workflows.engine.feeds import Feed
from workflows.engine.invoking import Outcome
from workflows.engine.purse import Bound
from workflows.engine.records import Message, News, RunRecord, StepRecord
from workflows.selectors.artifacts import StoreAway, value_of
from workflows.services import artifacts, state

log = logging.getLogger(__name__)

MOST_PARAMS = 65536  # bytes of JSON that come with each request
STORE_PAUSE = 2.0  # seconds between tries to reach a store of artifacts that is away

P = ParamSpec("P")
T = TypeVar("T")


class Inbox:
    """Messages of people and programs that no step has used yet, and whether the run may go on."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.wakes = 0
        self._news = asyncio.Event()

    def put(self, news: News) -> None:
        taken = {message.pk for message in news.messages}
        known = {message.pk for message in self.messages}
        self.messages = [message for message in self.messages if message.pk in taken]
        self.messages += [message for message in news.messages if message.pk not in known]
        self.wakes = news.wakes
        self._news.set()
        self._news = asyncio.Event()

    def take(self, kind: str, name: str) -> Message | None:
        """The first message of that kind and name, which is no longer here afterwards."""
        for message in self.messages:
            if message.kind == kind and message.name == name:
                self.messages.remove(message)
                return message
        return None

    async def wait(self) -> None:
        """Until there is news."""
        await self._news.wait()


@dataclass(slots=True)
class RunContext:
    run: RunRecord
    book: Book
    agents: Agents
    clock: Clock
    random: Random
    threads: ThreadPool
    load_bundle: Callable[[str], bytes]
    places: asyncio.Semaphore  # the run's own max_parallel
    inbox: Inbox = field(default_factory=Inbox)
    gate: asyncio.Event = field(default_factory=asyncio.Event)  # shut while the run is paused
    feeds: dict[str, Feed] = field(default_factory=dict)  # results of maps for streaming reduces
    turned: asyncio.Event = field(default_factory=asyncio.Event)  # whether the run rests may have changed
    rests: bool = False  # whether a step waits, so that it counts when the others have ended
    in_flight: int = 0
    _shared: dict[str, Any] | None = None
    _quiet: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.agents.on_turn = self._held_up
        self.agents.on_found = self._calms

    def _held_up(self, step: StepRecord, by_budget: bool) -> None:
        """It waits for a budget, or does not any more."""
        reason = BUDGET if by_budget else ""
        if step.reason != reason:
            step.reason = reason
            self.book.step_changed(step, "step.held_up" if by_budget else "step.let_go")
        self.turned.set()

    def _calms(self) -> None:
        """No call seeks an agent, or none is under way, any more."""
        if self.rests and not self.in_flight and not self.agents.seeking:
            self.turned.set()

    def bound_of(self, step: CallingStep, more: float = 0.0) -> Bound:
        """How long a call of the step may hold its agent, and `more` seconds: the run's own time-out ends
        it, too."""
        document, deadline = self.run.document, self.run.deadline
        seconds, stated = document.timeout_of(step) + more, document.states_timeout(step)
        if deadline is not None:
            left = max(0.0, (deadline - self.clock.now()).total_seconds())
            seconds, stated = min(seconds, left), True
        return Bound(seconds, stated)

    @property
    def shared_params(self) -> dict[str, Any]:
        """What every request tells of the run's params: themselves, unless they are large."""
        if self._shared is None:
            large = len(to_json(self.run.params)) > MOST_PARAMS
            self._shared = {"params_omitted": True} if large else {"params": self.run.params}
        return self._shared

    async def read(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a function that asks the database, away from the loop."""

        def call() -> T:
            close_old_connections()
            return function(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self.threads, tracing.carried(call))

    # --- values in rows --------------------------------------------------------------------------

    async def keep(self, value: Any) -> Any:
        """What a column holds for the value (JSON, or a `LargeOutput`): itself, or a reference when it is
        large (docs of `Ref`).

        Waits for a store that is away.
        """
        if isinstance(value, LargeOutput):
            return await self.patiently(artifacts.store_text, self.run.team_id, self.run.id, value.text)
        if not may_be_large(value):
            return packed(value)
        content = to_json(value)
        if len(content) <= LIMIT:
            return packed(value)
        ref = await self.patiently(artifacts.store, self.run.team_id, self.run.id, content)
        return ref.as_json()

    async def kept(self, answer: Outcome, lease: Lease, ends: LeaseOutcome) -> Outcome:
        """The answer as rows hold it. `ends`: how the lease is given back where the store is slow or away."""
        storing = answer.kept(self.keep)
        return await (self.agents.stored(storing, lease, ends) if answer.may_be_large else storing)

    async def keep_list(self, elements: Iterable[Any]) -> Any:
        """Like `keep`, of a list that is never held as a whole."""
        return await self.patiently(artifacts.store_list, self.run.team_id, self.run.id, elements)

    async def keep_too(self, stored: Any) -> Any:
        """What a column of this run holds for the value of another run's column."""
        ref = read_ref(stored)
        if ref is not None:
            await self.read(artifacts.use, self.run.team_id, self.run.id, ref)
        return stored

    async def value(self, stored: Any) -> Any:
        """The value that a column holds. Waits for a store that is away."""
        if not is_ref(stored):
            return unpacked(stored)
        return await self.patiently(value_of, self.run.team_id, stored)

    async def patiently(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Like `read`, again and again while the store of artifacts is away."""
        while True:
            try:
                return await self.read(function, *args, **kwargs)
            except StoreAway as exc:
                log.warning("run %s waits: %s", self.run.id, exc)
                await asyncio.sleep(STORE_PAUSE)

    async def settled(self) -> None:
        await self.book.settled()

    async def state_values(self) -> dict[str, Any]:
        return await self.read(state.all_values, self.run.id)

    async def sleep_until(self, at: datetime | None, *, at_most: float) -> None:
        if at is not None:
            left = (at - self.clock.now()).total_seconds()
            await asyncio.sleep(min(max(0.0, left), at_most))

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[None]:
        """Around a request to an agent: a pause lets it finish."""
        self.in_flight += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self._quiet.set()
            self._calms()

    async def quiet(self) -> None:
        """Until no request is under way."""
        if self.in_flight:
            await self._quiet.wait()

    def feed(self, step: StepRecord) -> Feed:
        if step.key not in self.feeds:
            self.feeds[step.key] = Feed(step)
        return self.feeds[step.key]

    def forget(self, keys: Iterable[str]) -> None:
        """The steps of an iteration that has ended need not be held any longer."""
        for key in keys:
            del self.run.steps[key]
            self.feeds.pop(key, None)
