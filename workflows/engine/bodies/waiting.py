"""Steps that wait for a time, an event or a person. Nobody needs to be there while they do: a run of which
nothing else is left is parked, and taken up again when its time has come or somebody has news for it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any

from pools.facade.contracts import AgentError
from workflows.domain.artifacts import packed
from workflows.domain.durations import seconds
from workflows.domain.moments import parse_time
from workflows.domain.shapes import iso
from workflows.domain.states import StepState
from workflows.domain.steps import ApprovalStep, WaitStep
from workflows.domain.work import ExpressionError
from workflows.engine.bodies.base import Body
from workflows.engine.records import Message

LONGEST = 10 * 366 * 86400.0  # seconds


class _Waiting(Body, ABC):
    async def run(self) -> None:
        try:
            if self.record.state is StepState.QUEUED:
                self.record.attempts += 1
                await self.prepare()
                self.begin(StepState.WAITING, "step.waiting")
            await self._wait()
        except ExpressionError as exc:
            self.fail(AgentError("bad_input", str(exc)))

    async def _wait(self) -> None:
        """Until the message that it waits for is there, or its time is up."""
        inbox = self.context.inbox
        while True:
            news = asyncio.ensure_future(inbox.wait())
            try:
                message = self.look_for()
                if message is not None:
                    self.context.book.taken(message.pk, self.record)
                    self.came(message)
                    return
                left = self._seconds_left()
                if left is not None and left <= 0:
                    self.time_is_up()
                    return
                await asyncio.wait({news}, timeout=left)
            finally:
                news.cancel()

    def _seconds_left(self) -> float | None:
        due = self.record.due_at
        return None if due is None else (due - self.now()).total_seconds()

    @abstractmethod
    async def prepare(self) -> None:
        """Sets `due_at` and `input`. Raises ExpressionError."""

    @abstractmethod
    def look_for(self) -> Message | None:
        """What it waits for, taken out of the inbox; None while it is not there."""

    @abstractmethod
    def came(self, message: Message) -> None:
        """Ends the step by what came."""

    @abstractmethod
    def time_is_up(self) -> None:
        """Ends the step without it."""


class WaitRun(_Waiting):
    """Of a `wait`: its output is the event's payload, or the moment at which it went on."""

    definition: WaitStep

    async def prepare(self) -> None:
        step, record = self.definition, self.record
        if step.event is not None:
            record.input = {"event": str(await self.scope.resolve(step.event))}
            record.due_at = None if step.timeout is None else self.after(step.timeout)
        elif step.until is not None:
            record.due_at = self._moment(await self.scope.resolve(step.until))
        else:
            record.due_at = self.after(self._duration(await self.scope.resolve(step.duration)))

    @staticmethod
    def _duration(value: Any) -> float:
        try:
            found = seconds(value)
        except ValueError as exc:
            raise ExpressionError(f"duration: {exc}") from exc
        if not 0 <= found <= LONGEST:
            raise ExpressionError("duration: wait between 0 seconds and 10 years")
        return found

    @staticmethod
    def _moment(value: Any) -> datetime:
        at = parse_time(value)
        if at is None:
            raise ExpressionError(f"until: {str(value)[:80]!r} is no time such as 2027-01-31T09:00:00Z")
        return at

    def look_for(self) -> Message | None:
        if self.definition.event is None:
            return None
        return self.context.inbox.take("signal", self.record.input["event"])

    def came(self, message: Message) -> None:
        self.complete(packed(message.payload))

    def time_is_up(self) -> None:
        if self.definition.event is None:
            self.complete({"at": iso(self.now())})
        else:
            name = self.record.input["event"]
            self.fail(AgentError("timeout", f"The event {name} did not come in time."))


class ApprovalRun(_Waiting):
    """Of an `approval`: its output is `{"approved", "by", "at", "data"}`."""

    definition: ApprovalStep

    async def prepare(self) -> None:
        step, record = self.definition, self.record
        prompt = await self.scope.resolve(step.prompt)
        record.input = {
            "prompt": prompt if isinstance(prompt, str) else str(prompt),
            "form": step.form,
            "approvers": list(step.approvers),
        }
        record.due_at = None if step.timeout is None else self.after(step.timeout)

    def look_for(self) -> Message | None:
        return self.context.inbox.take("decision", self.record.key)

    def came(self, message: Message) -> None:
        decision = {**message.payload, "by": message.author, "at": iso(message.at)}
        self._decided(decision, f"{message.author} rejected it")

    def time_is_up(self) -> None:
        approved = self.definition.on_timeout == "approve"
        decision = {"approved": approved, "by": None, "at": iso(self.now()), "data": None}
        self._decided(decision, "Nobody decided in time")

    def _decided(self, decision: dict[str, Any], rejection: str) -> None:
        if decision["approved"] or self.definition.on_reject == "continue":
            self.complete(decision)
            return
        self.record.output = decision
        self.fail(AgentError("rejected", f"{rejection}."))
