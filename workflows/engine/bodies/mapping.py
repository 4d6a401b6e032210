"""A map: its items go over a few lanes, each of which holds a lease and feeds its agent item after item.

A lane offers its lease back to the pool's queue after a quantum, so that a long map starves nobody. Items are
written down before they are sent, a few milliseconds of work at a time; their rows are made on the way.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from aflow_site.kernel import tracing
from pools.facade.contracts import AgentError, ItemResult, Lease, LeaseOutcome
from workflows.domain.artifacts import read_ref, unpacked
from workflows.domain.expressions import compile_template
from workflows.domain.json_lists import NoList
from workflows.domain.sources import Source, is_source, source_of
from workflows.domain.states import StepState
from workflows.domain.steps import QUANTUM, ItemsStep, MapStep, Run
from workflows.domain.tolerance import MapCounts, MapVerdict, Tolerance, judge_map
from workflows.domain.work import ExpressionError
from workflows.engine.agents import NoAgent
from workflows.engine.bodies.base import Body
from workflows.engine.bodies.items import ItemQueue, ItemsCall
from workflows.engine.bodies.listing import Listing
from workflows.engine.bodies.sourcing import Reading, SourceFailed
from workflows.engine.context import RunContext
from workflows.engine.errands import Errands
from workflows.engine.invoking import Outcome, StepCall, send
from workflows.engine.listening import BodyListener
from workflows.engine.loading import unfinished_items
from workflows.engine.places import Place
from workflows.engine.records import StepRecord
from workflows.engine.scope import Elements, Scope
from workflows.engine.stepstate import end_step
from workflows.selectors.artifacts import elements_of
from workflows.services.step_pools import kind_of

AHEAD = 0.025  # seconds of work that a lane writes down at once
MAX_AHEAD = 50  # calls
DEFAULT_WIDTH = 100  # calls at once without a max_parallel


class MapRun(Body):
    """Drives one `map` from queued to its end. Cancelling its task stops the requests under way."""

    definition: ItemsStep

    def __init__(self, context: RunContext, step: ItemsStep, record: StepRecord, scope: Scope) -> None:
        super().__init__(context, step, record, scope)
        self.behaviour: Run = step.run if isinstance(step, MapStep) else step.mapper
        self.call = StepCall.of(
            context.run.id,
            context.run.workflow,
            record.key,
            self.behaviour,
            context.load_bundle,
            timeout=context.run.document.timeout_of(step),
            more=context.shared_params,
        )
        self.batch_size = step.batch_size  # a source may say another
        self.items = ItemQueue(context, record, context.run.document.retry_of(step))
        self._taken_up = False
        self._lanes: dict[int, asyncio.Task[None]] = {}
        self._call_seconds = AHEAD  # moving average; begins careful: one call at a time

    # --- the whole -------------------------------------------------------------------------------

    async def run(self) -> None:
        verdict = await self.run_items()
        if verdict is None:
            return
        if verdict.state is StepState.COMPLETED:
            self.end(StepState.COMPLETED, None)
        else:
            await self.fail_map(verdict)

    async def run_items(self) -> MapVerdict | None:
        """How the items ended; None when the step has failed before there were any."""
        try:
            self.items.values = await self._list()
            self._to_input = await self._item_input()
        except ExpressionError as exc:
            self.fail(AgentError("bad_input", str(exc)))
            return None
        except (SourceFailed, NoAgent) as exc:
            self.fail(exc.error)
            return None
        more = {**self.call.more, "item_total": len(self.items.values)}
        self.call = replace(self.call, batch=self.batch_size > 1, more=more)
        await self._take_up()
        self._begin()
        try:
            await self._feed()
        finally:
            await self._stop_lanes()
        return judge_map(self.tolerance, self._counts())

    async def fail_map(self, verdict: MapVerdict) -> None:
        await self.close()
        self.end(StepState.FAILED, self._failure(verdict.reason or "The map failed."))

    @property
    def tolerance(self) -> Tolerance:
        """The document's, or what somebody set for this run while it runs."""
        given = {**self.definition.model_dump(include={"error_strategy", "min_success_rate"})}
        changed = self.record.overrides or {}
        given.update({name: changed[name] for name in given if name in changed})
        return Tolerance(**given)

    @property
    def _width(self) -> int:
        changed = (self.record.overrides or {}).get("max_parallel")
        wanted = changed or self.definition.max_parallel or DEFAULT_WIDTH
        return int(min(wanted, self.context.run.document.max_parallel or wanted))

    async def _list(self) -> Listing:
        """Of a plain path to a large list, a page at a time; anything else has to be computed first."""
        elements = self.scope.elements(self.definition.over)
        if elements is not None:
            await self.context.settled()
            with contextlib.suppress(NoList):
                return await self.context.patiently(Listing, elements)
        values = await self.scope.resolve(self.definition.over)
        if is_source(values):
            return await self._listed(source_of(values, written=isinstance(self.definition.over, dict)))
        if not isinstance(values, list):
            kind = "nothing" if values is None else type(values).__name__
            raise ExpressionError(f"`over` must give a list; here it gave {kind}")
        return await self.context.read(Listing, values)

    async def _listed(self, source: Source) -> Listing:
        """What the source holds; read once, whoever drives the map."""
        self.batch_size = source.batch_size or self.batch_size
        if not isinstance(source.source, str):
            return await self.context.read(Listing, source.source)
        stored = self.record.input
        if stored is None:
            stored = await Reading(self, self.definition, source).stored()
        if (ref := read_ref(stored)) is None:
            return await self.context.read(Listing, unpacked(stored))
        elements = Elements(partial(elements_of, self.context.run.team_id, ref.sha256, ()))
        return await self.context.patiently(Listing, elements)

    async def _item_input(self) -> Callable[[Any, int], Any]:
        """A function from an item and its index to what the agent gets."""
        alias, template = self.definition.as_, self.definition.input
        if template is None:
            bare = self.behaviour.image is not None and self.batch_size > 1
            return lambda item, _index: item if bare else {alias: item}
        resolve = compile_template(template)
        roots = await self.scope.roots(template)
        return lambda item, index: resolve({**roots, "item": item, alias: item, "index": index})

    async def _take_up(self) -> None:
        """Goes on where the rows say that a former driver left off."""
        begun, next_index = await self.context.read(unfinished_items, self.record.pk)
        self._taken_up = True
        self.items.take_up(begun, next_index)

    def _begin(self) -> None:
        record = self.record
        record.total = len(self.items.values)
        record.attempts = max(record.attempts, 1)
        if record.state is StepState.RUNNING or not record.total:
            record.started_at = record.started_at or self.now()
        else:
            self.begin(StepState.RUNNING, "step.started")

    def end(self, state: StepState, error: dict[str, Any] | None) -> None:
        self.record.running = 0
        end_step(self.context.book, self.record, state, self.now(), error)
        self.context.feed(self.record).tell()

    def _counts(self) -> MapCounts:
        record = self.record
        return MapCounts(total=record.total, completed=record.completed, failed=record.failed)

    def _failure(self, reason: str) -> dict[str, Any]:
        first = self.items.first_failure or {}
        return {
            "type": "map_failed",
            "message": f"{reason} {first.get('message', '')}".strip(),
            "traceback": first.get("traceback"),
            "item": first.get("item"),
        }

    async def close(self) -> None:
        """Accounts for every item that will not end by itself: begun ones, and those without a row yet."""
        if not self._taken_up and self.record.total:  # a former driver began it, and this one never did
            with contextlib.suppress(ExpressionError):
                self.items.values = await self._list()
            await self._take_up()
        await self.items.cancel_rest()
        self.context.feed(self.record).tell()

    # --- lanes -----------------------------------------------------------------------------------

    async def _feed(self) -> None:
        """Keeps as many lanes as there may be; the width may change on the way."""
        numbers = 0
        while not self._over():
            calls = math.ceil(self._counts().open / self.batch_size)
            while len(self._lanes) < min(self._width, calls):
                numbers += 1
                self._lanes[numbers] = asyncio.create_task(self._lane(numbers))
            news = asyncio.ensure_future(self.context.inbox.wait())
            try:
                done, _ = await asyncio.wait(
                    {*self._lanes.values(), news}, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                news.cancel()
            for number in [number for number, lane in self._lanes.items() if lane in done]:
                self._lanes.pop(number).result()  # raises what the lane could not cope with

    async def _stop_lanes(self) -> None:
        lanes = list(self._lanes.values())
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
        self._lanes.clear()

    def _over(self) -> bool:
        return judge_map(self.tolerance, self._counts()).state is not None

    async def _lane(self, number: int) -> None:
        grant = 0
        while not self._over() and await self.items.wait_for_work(self._over):
            await self.context.gate.wait()
            if len(self._lanes) > self._width:
                return  # somebody made the map narrower
            grant += 1
            async with Place(self.context.places) as place:
                await self._with_lease(f"{number}.{grant}", place)

    async def _with_lease(self, grant: str, place: Place) -> None:
        run, context = self.context.run, self.context
        holder = f"{run.id}/{self.record.key}/{grant}/{run.fence}"
        try:
            kind = kind_of(self.behaviour)
            bound = context.bound_of(self.definition, more=QUANTUM)
            lease = await context.agents.lease(self.record.pool, kind, holder, self.record, bound, place)
        except NoAgent as exc:
            await self.items.fail_rest(exc.error)
            return
        outcome, uses = LeaseOutcome.OK, 0
        loop = asyncio.get_running_loop()
        give_back_at = loop.time() + QUANTUM
        try:
            while uses < lease.uses_left and loop.time() < give_back_at and not self._over():
                if not context.gate.is_set() or len(self._lanes) > self._width:
                    break
                # A budget counts on it that no more than one call runs on when the quantum is over.
                most = 1 if context.agents.is_reserved(lease) else lease.uses_left - uses
                calls = self._take(most)
                if not calls:
                    break
                # If this is cancelled half-way, the pools find out whether the agent is free again.
                outcome = LeaseOutcome.ERROR
                async with context.calling():
                    sent, outcome = await self._send_all(lease, calls)
                uses += sent
                if outcome is LeaseOutcome.POISON or not context.agents.holds(lease):
                    break
        finally:
            await context.agents.give_back(lease, outcome, uses=uses)

    def _take(self, most: int) -> list[ItemsCall]:
        """The next calls for one lane: about AHEAD seconds of work, and no more than its fair share."""
        share = math.ceil(self.items.waiting / self.batch_size / max(1, len(self._lanes)))
        limit = max(1, min(most, share, MAX_AHEAD, int(AHEAD / max(self._call_seconds, 1e-6))))
        return self.items.take(limit, self.batch_size)

    async def _send_all(self, lease: Lease, calls: list[ItemsCall]) -> tuple[int, LeaseOutcome]:
        """Writes the calls down, sends them one after another; those not sent go back to the queue."""
        self.items.started(calls, lease)
        await self.context.book.settled()
        loop = asyncio.get_running_loop()
        ends = LeaseOutcome.OK
        for place, call in enumerate(calls):
            begun = loop.time()
            try:
                answer = await self._send(lease, call)
            finally:
                self.context.agents.used(self.record, lease, loop.time() - begun)
            if answer.lease is LeaseOutcome.ERROR:
                ends = LeaseOutcome.ERROR
            outcome = await self.context.kept(answer, lease, answer.lease if answer.agent_gone else ends)
            took = loop.time() - begun
            self._call_seconds += 0.2 * (took - self._call_seconds)
            self.items.record(call, outcome, over=self._over)
            held = self.context.agents.holds(lease)
            if outcome.agent_gone or not held or self._over() or not self.context.gate.is_set():
                self.items.unsend(calls[place + 1 :])
                return place + 1, outcome.lease
        return len(calls), ends

    async def _send(self, lease: Lease, call: ItemsCall) -> Outcome:
        try:
            inputs = tuple(self._to_input(item.input, item.index) for item in call.items)
        except ExpressionError as exc:
            error = AgentError("bad_input", str(exc))
            return Outcome((ItemResult(error=error),) * len(call.items))
        attempt = max(item.attempts for item in call.items)
        places = [(item.index, item.attempts) for item in call.items]
        listener = BodyListener(
            self.context, self.record, attempt, places, errands=self._errands(lease, call, attempt)
        )
        invocation = self.call.invocation(inputs, call.indexes, attempt, listener)
        key = self.record.key
        try:
            with tracing.span("attempt", step_id=key, attempt=attempt, item_indexes=call.indexes):
                return await send(self.context.agents.broker, lease, invocation)
        finally:
            await listener.close()

    def _errands(self, lease: Lease, call: ItemsCall, attempt: int) -> Errands | None:
        if self.call.runs is None:
            return None
        key = f"{self.context.run.id}/{self.record.key}/{call.indexes[0]}/{attempt}"
        return Errands(self.context, self.record, lease, self.call.timeout, key)
