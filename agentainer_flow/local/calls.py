"""One call of a body or of a mocked image, and its attempts."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import re
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentainer_flow.agent.failures import describe
from agentainer_flow.agent.outputs import BadOutput, encode
from agentainer_flow.agent.results import ResultStream
from agentainer_flow.context import Context, ask
from agentainer_flow.local.baton import Turn
from agentainer_flow.local.bodies import Body, owns
from agentainer_flow.local.clock import seconds
from agentainer_flow.local.mocks import AgentCall, AgentFailure, find
from agentainer_flow.local.records import Error, StepRecord, error_of
from agentainer_flow.local.talk import LocalTalk

if TYPE_CHECKING:
    from agentainer_flow.local.run import LocalRun

DEFAULT_TIMEOUT = 300.0  # seconds of one attempt
RESULTS = "results"
NUL = "The output holds a NUL character, which cannot be kept: take it out, or give bytes as base64."
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


@dataclass(frozen=True, slots=True)
class Outcome:
    """`error` None: `output` counts."""

    output: Any = None
    error: Error | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """A step's `retry` in the document."""

    max_attempts: int = 1
    backoff: str = "exponential"
    delay: float = 1.0
    max_delay: float = 30.0
    jitter: bool = True
    retry_on: tuple[str, ...] | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Retry:
        values = dict(given)
        for name in ("delay", "max_delay"):
            if name in values:
                values[name] = seconds(values[name])
        if values.get("retry_on") is not None:
            values["retry_on"] = tuple(values["retry_on"])
        return cls(**values)

    def again(self, attempts: int, error: Error) -> bool:
        """Whether another attempt follows."""
        if self.retry_on is not None and error["type"] not in self.retry_on:
            return False
        return attempts < self.max_attempts

    def wait(self, next_attempt: int, randomness: float) -> float:
        """Seconds before it; the first retry is 2."""
        tries = next_attempt - 1
        factor: float = {"constant": 1, "linear": tries, "exponential": 2 ** min(tries - 1, 40)}[self.backoff]
        wait = min(self.delay * factor, self.max_delay)
        return wait * (0.5 + randomness / 2) if self.jitter else wait


def retry_of(run: LocalRun, step: Mapping[str, Any]) -> Retry:
    defaults = run.document.get("defaults") or {}
    return Retry.of(step.get("retry") or defaults.get("retry") or {})


@dataclass(frozen=True, slots=True)
class One:
    """What one call is for. `item`: the index in a map."""

    value: Any
    item: int | None
    attempt: int


class Caller:
    """Calls what a step's `run` names. `source`: the map whose results its body takes as they come."""

    def __init__(
        self,
        run: LocalRun,
        record: StepRecord,
        step: Mapping[str, Any],
        behaviour: Mapping[str, Any],
        source: StepRecord | None = None,
    ) -> None:
        self._run = run
        self._record = record
        self._behaviour = behaviour
        self._source = source
        defaults = run.document.get("defaults") or {}
        limit = step.get("timeout", defaults.get("timeout"))
        self.timeout = DEFAULT_TIMEOUT if limit is None else seconds(limit)
        self.retry = retry_of(run, step)

    async def once(self, calls: Sequence[One], *, batch: bool = False) -> list[Outcome]:
        """The items of one request, one after the other; an image gets a batch as a whole."""
        work = self._image(calls, batch) if "image" in self._behaviour else self._bodies(calls)
        try:
            return await self._run.clock.within(self.timeout, work)
        except TimeoutError:
            sentence = "The deadline passed before the body finished."  # as agents tell it
            return [Outcome(error=error_of("timeout", sentence))] * len(calls)

    async def until_done(self, value: Any, on_change: Callable[[str], None]) -> Outcome:
        """One call, tried again as the retry policy says. `on_change` hears "running" and "queued"."""
        record, attempts = self._record, 0
        while True:
            attempts += 1
            record.attempts = attempts
            on_change("running")
            outcome = (await self.once([One(value, None, attempts)]))[0]
            if outcome.error is None or not self.retry.again(attempts, outcome.error):
                return outcome
            record.error = outcome.error
            on_change("queued")
            await self._run.clock.sleep(self.retry.wait(attempts + 1, self._run.random.random()))

    # --- bodies ----------------------------------------------------------------------------------

    async def _bodies(self, calls: Sequence[One]) -> list[Outcome]:
        try:
            body = self._run.bodies.get(self._behaviour)
        except Exception as exc:  # whatever the user's module raises when it is loaded
            return [Outcome(error=_raised(exc))] * len(calls)
        return [await self._body(body, call) for call in calls]

    async def _body(self, body: Body, call: One) -> Outcome:
        turn = Turn(self._run.baton)
        talk = LocalTalk(self._run, self._record, call.item, turn, self._source)
        value = _copied(call.value)
        if self._source is not None:
            value = {**(value or {}), RESULTS: ResultStream(lambda op, args: ask(talk, op, args))}

        def new_context(given: Any) -> Context:
            return self._context(given, call, talk)

        errands = talk.errands = self._run.errands(self._record, call.item)
        try:
            with self._run.clock.busy():
                raised, output = await _result(turn, body, value, new_context)
        finally:
            await errands.close()
        return _kept(output) if raised is None else Outcome(error=_raised(raised))

    def _context(self, given: Any, call: One, talk: LocalTalk) -> Context:
        key = self._record.key
        values = {
            "workflow_id": self._run.workflow,
            "run_id": self._run.id,
            "step_id": key,
            "item_index": call.item,
            "item_total": len(self._record.items),
            "attempt": call.attempt,
            "deadline": self._run.clock.now() + self.timeout,
            "params": _copied(self._run.params),
        }
        log = lambda stream, text: self._run.log(key, call.item, stream, text)  # noqa: E731
        return Context(values, input=given, log=log, talk=talk)

    # --- images ----------------------------------------------------------------------------------

    async def _image(self, calls: Sequence[One], batch: bool) -> list[Outcome]:
        if not batch:
            return [await self._mocked(call.value, call) for call in calls]
        outcome = await self._mocked({"items": [call.value for call in calls]}, calls[0])
        if outcome.error is not None:
            return [outcome] * len(calls)
        outputs = outcome.output
        if not isinstance(outputs, list) or len(outputs) != len(calls):
            sentence = f'A batch of {len(calls)} needs "output" to be a list of {len(calls)}.'
            return [Outcome(error=error_of("bad_answer", sentence))] * len(calls)
        return [Outcome(output) for output in outputs]

    async def _mocked(self, value: Any, call: One) -> Outcome:
        image = str(self._behaviour["image"])
        asked = AgentCall(image, _copied(value), self._record.key, call.item, call.attempt)
        return await ask_mock(self._run, asked, image)


async def ask_mock(run: LocalRun, call: AgentCall, *names: str | None) -> Outcome:
    """What the mock answers that stands in for an agent of these names."""
    mock = find(run.mocks(), *names)
    if mock is None:
        sentence = (
            f"No mock stands in for {call.agent}, and local runs start no containers; add"
            f' mock_agent("{call.agent}").returns(…).'
        )
        return Outcome(error=error_of("no_agent", sentence))
    try:
        delay, give = mock.next(call)
        await run.clock.sleep(delay)
        output = give()
        if inspect.isawaitable(output):
            output = await output
        return _kept(output)
    except AgentFailure as exc:
        return Outcome(error=error_of(exc.kind, str(exc)))
    except Exception as exc:  # what the test's own function raised
        return Outcome(error=_raised(exc))


def _kept(output: Any) -> Outcome:
    """As the platform would keep it, which refuses what PostgreSQL does."""
    try:
        text = encode(output)
    except BadOutput as exc:
        return Outcome(error=error_of("bad_output", str(exc)))
    if _NUL.search(text):
        return Outcome(error=error_of("bad_output", NUL))
    return Outcome(json.loads(text))


def _raised(exc: BaseException) -> Error:
    return dict(describe(exc, owns)["error"])


async def _result(
    turn: Turn, body: Body, value: Any, new_context: Callable[[Any], Context]
) -> tuple[BaseException | None, Any]:
    """What the body raised, or None and what it gave."""
    try:
        if body.asynchronous:
            output = body.call(value, new_context)
        else:
            async with turn:
                raised, output = await _in_thread(lambda: body.call(value, new_context))
            if raised is not None:
                return raised, None
        if inspect.isawaitable(output):
            output = await output
    except (Exception, SystemExit) as exc:
        return exc, None
    except asyncio.CancelledError as exc:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise  # it is the run that ends it
        return exc, None
    return None, output


def _in_thread(work: Callable[[], Any]) -> Awaitable[tuple[BaseException | None, Any]]:
    """What it raised, whatever that is, and what it gave: in a thread of its own, which no exit waits for."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[tuple[BaseException | None, Any]] = loop.create_future()

    def settle(answer: tuple[BaseException | None, Any]) -> None:
        if not future.done():
            future.set_result(answer)

    def run() -> None:
        answer: tuple[BaseException | None, Any]
        try:
            answer = None, context.run(work)
        except BaseException as exc:  # KeyboardInterrupt too: the user's own comes to the main thread
            answer = exc, None
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, answer)

    context = contextvars.copy_context()
    threading.Thread(target=run, name="agentainer-body", daemon=True).start()
    return future


def _copied(value: Any) -> Any:
    """As it would come over the wire: no two bodies share an object."""
    return json.loads(json.dumps(value))
