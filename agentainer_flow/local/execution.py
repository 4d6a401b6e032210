"""A local run, seen from the program that started it: the same names as a run on the platform has."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from agentainer_flow.errors import Conflict, FlowError, InvalidRequest, NotFound, WaitTimeout
from agentainer_flow.local.clock import Clock, ManualClock
from agentainer_flow.local.kinds import form_faults
from agentainer_flow.local.mocks import MockAgent
from agentainer_flow.local.params import filled
from agentainer_flow.local.records import StepRecord
from agentainer_flow.local.run import Definition, Library, LocalRun, Message
from agentainer_flow.local.values import Values
from agentainer_flow.outcomes import ENDED, output_of

T = TypeVar("T")
WHO = "local"  # who decides


@dataclass(frozen=True)
class Plan:
    """All that a local run is given. `alone`: nobody will send it anything once it has started."""

    definition: Definition
    params: Mapping[str, Any]
    library: Library
    clock: Clock
    mocks: tuple[MockAgent, ...] = ()
    messages: tuple[Message, ...] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    alone: bool = True


class LocalExecution:
    """Made by `run_workflow_locally` and `run_local`. It goes on in a thread of its own, with an event loop.

    Raises InvalidRequest for params that do not fit.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._params = filled(plan.definition.document.get("params"), plan.params)
        self._changed = threading.Condition()
        self._local: Future[LocalRun] = Future()
        self._trouble: BaseException | None = None
        plan.clock.expect()
        self._thread = threading.Thread(target=self._work, name="agentainer-run", daemon=True)
        self._thread.start()

    # --- the run's thread ------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            asyncio.run(self._drive())
        except BaseException as exc:  # raised where the run is waited for
            self._trouble = exc
            if not self._local.done():
                self._local.set_exception(exc)
        finally:
            if isinstance(self._plan.clock, ManualClock):
                self._plan.clock.finish()
            self._tell()

    async def _drive(self) -> None:
        plan = self._plan
        plan.clock.alone = plan.alone
        plan.clock.bind(asyncio.get_running_loop())
        run = LocalRun(
            plan.definition,
            self._params,
            plan.clock,
            plan.library,
            plan.mocks,
            Values(plan.state),
            plan.secrets,
        )
        run.messages.extend(plan.messages)
        run.on_event = self._tell
        driving = asyncio.ensure_future(run.drive())
        stuck = asyncio.ensure_future(self._stuck(plan.clock))
        self._local.set_result(run)
        try:
            await asyncio.wait({driving, stuck}, return_when=asyncio.FIRST_COMPLETED)
            if not driving.done():
                raise FlowError(_waits(run))
            driving.result()
        finally:
            plan.clock.on_stuck = lambda: None
            driving.cancel()
            stuck.cancel()
            await asyncio.gather(driving, stuck, return_exceptions=True)

    async def _stuck(self, clock: Clock) -> None:
        """Returns when the run waits for somebody who will not come."""
        stuck = asyncio.Event()
        if self._plan.alone:
            clock.on_stuck = stuck.set
            clock.news()
        await stuck.wait()

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()

    @property
    def _run(self) -> LocalRun:
        return self._local.result(60)

    def _on_loop(self, act: Callable[[LocalRun], T]) -> T:
        """Does something where the run lives. Raises Conflict when it has ended."""
        run, answer = self._run, Future[T]()

        def call() -> None:
            try:
                answer.set_result(act(run))
            except BaseException as exc:
                answer.set_exception(exc)

        try:
            run.loop.call_soon_threadsafe(call)
        except RuntimeError:
            raise Conflict(409, "conflict", "The run has ended.") from None
        while self._thread.is_alive() and not answer.done():
            try:
                return answer.result(0.1)
            except TimeoutError:
                if answer.done():
                    raise
        if not answer.done():
            raise Conflict(409, "conflict", "The run has ended.")
        return answer.result(0)

    # --- how it stands ---------------------------------------------------------------------------

    @property
    def id(self) -> str:
        return self._run.id

    @property
    def state(self) -> str:
        """running, waiting, completed, failed or cancelled."""
        run = self._run
        active = [one.state for one in run.steps.values() if one.state in ("queued", "running", "waiting")]
        if run.state == "running" and active and set(active) == {"waiting"}:
            return "waiting"
        return run.state

    @property
    def ended(self) -> bool:
        return self._run.state in ENDED

    @property
    def run(self) -> dict[str, Any]:
        """As the REST API shows a run."""
        return {**self._run.as_dict(), "state": self.state}

    @property
    def output(self) -> Any:
        """None until it has completed; `result()` raises instead."""
        return self._run.output

    @property
    def error(self) -> dict[str, Any] | None:
        """{"type", "message", "traceback", "step"} of a run that failed."""
        return self._run.error

    def wait(self, timeout: float | None = None) -> LocalExecution:
        """Returns when the run has ended, whichever way. `timeout`: seconds of real time.

        Raises WaitTimeout, and FlowError when the run waits for somebody who will not come.
        """
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise WaitTimeout(f"The run has not ended within {timeout:g} s; it goes on.")
        if self._trouble is not None:
            raise self._trouble
        return self

    def result(self, timeout: float | None = None) -> Any:
        """The run's output (JSON). Raises RunFailed, RunCancelled, WaitTimeout."""
        return output_of(self.wait(timeout)._run.as_dict())

    def until(self, step: str, state: str, timeout: float = 60.0) -> dict[str, Any]:
        """The step, once it is in that state. Raises WaitTimeout after seconds of real time."""

        def there() -> bool:
            found = self._run.steps.get(step)
            return (found is not None and found.state == state) or not self._thread.is_alive()

        with self._changed:
            self._changed.wait_for(there, timeout)
        found = self.step(step)
        if found["state"] != state:
            raise WaitTimeout(f"Step {step} is {found['state']}, not {state}.")
        return found

    def steps(self) -> list[dict[str, Any]]:
        """The workflow's steps with their states and counts, and those of each loop's last iteration."""
        records = list(self._run.steps.values())
        last: dict[str, int] = {}
        for record in records:
            for loop, number in _iterations(record.key):
                last[loop] = max(number, last.get(loop, 0))
        return [r.as_dict() for r in records if all(last[loop] == n for loop, n in _iterations(r.key))]

    def step(self, step: str) -> dict[str, Any]:
        """By its id; of a loop's second iteration as `loop.1.step`."""
        return self._record(step).as_dict()

    def items(self, step: str, state: str | None = None) -> list[dict[str, Any]]:
        """The items of a parallel step; of one state, if given."""
        found = [item.as_dict() for item in list(self._record(step).items)]
        return [item for item in found if state in (None, item["state"])]

    def events(self, after: int = 0) -> Iterator[dict[str, Any]]:
        """Those so far, in order: {"seq", "type", "at", "data"}."""
        yield from self._run.events[after:]

    def logs(self, step: str | None = None, item: int | None = None) -> list[dict[str, Any]]:
        """What `ctx.log` and `ctx.metric` told: {"id", "at", "step", "item", "stream", "text"}."""
        return [
            entry
            for entry in list(self._run.logs)
            if step in (None, entry["step"]) and item in (None, entry["item"])
        ]

    def values(self) -> dict[str, Any]:
        """The run's state: the keys that its steps share, with their values."""
        return self._run.values.all()

    def _record(self, step: str) -> StepRecord:
        found = self._run.steps.get(step)
        if found is None:
            raise NotFound(404, "not_found", f"The run has no step {step}.")
        return found

    # --- what one may do -------------------------------------------------------------------------

    def cancel(self) -> None:
        self._on_loop(LocalRun.cancel)

    def signal(self, name: str, payload: Any = None) -> None:
        """A step that waits for the event, now or later, goes on with the payload."""
        self._on_loop(lambda run: run.send(Message("signal", name, payload)))

    def decide(self, step: str, approve: bool, data: Any = None) -> None:
        """Decides an approval that waits. Raises Conflict, and InvalidRequest for data unfit for its form."""

        def act(run: LocalRun) -> None:
            record = run.steps.get(step)
            if record is None or record.type != "approval" or record.state != "waiting":
                raise Conflict(409, "conflict", f"Step {step} does not wait for a decision.")
            if approve:
                check_form({"form": record.input["form"]}, data)
            run.send(decision(step, approve, data))

        self._on_loop(act)

    def __repr__(self) -> str:
        return f"LocalExecution({self._run.workflow!r}, {self.state!r})"


def _iterations(key: str) -> Iterator[tuple[str, int]]:
    """Of a step: each loop it is in, with the number of the iteration."""
    parts = key.split(".")
    for place in range(1, len(parts), 2):
        yield ".".join(parts[:place]), int(parts[place])


def decision(step: str, approve: bool, data: Any) -> Message:
    return Message("decision", step, {"approved": approve, "by": WHO, "data": data})


def check_form(step: Mapping[str, Any], data: Any) -> None:
    """Raises InvalidRequest when a decision's data does not fit the approval's form."""
    faults = form_faults(step, data)
    if faults:
        raise InvalidRequest(400, "invalid", f"{faults[0].path}: {faults[0].message}", faults)


def _waits(run: LocalRun) -> str:
    told = [_wait_of(record) for record in _waiting(run)]
    return f"The run waits, and nobody will come: {'; '.join(told) or 'nothing is left to do'}."


def _waiting(run: LocalRun) -> Iterable[StepRecord]:
    for one in (run, *run.children):
        yield from (record for record in one.steps.values() if record.state == "waiting")


def _wait_of(record: StepRecord) -> str:
    if record.type == "approval":
        return f'step {record.key} waits for a person (decisions={{"{record.key}": True}} decides)'
    event = (record.input or {}).get("event")
    return f'step {record.key} waits for the event {event} (signals={{"{event}": …}} sends it)'
