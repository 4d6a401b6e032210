# Made of aio/execution.py by `just client`: change that one.
"""One run, seen from a program that waits for it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from agentainer_flow.client.paths import part
from agentainer_flow.errors import WaitTimeout
from agentainer_flow.outcomes import ENDED, is_reference, output_of

if TYPE_CHECKING:
    from agentainer_flow.client.transport import Transport

FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.02, 0.5, 1.5  # seconds between two looks


class _Looks:
    """Pauses that grow. Raises WaitTimeout once `timeout` seconds have passed."""

    def __init__(self, run_id: str, timeout: float | None) -> None:
        self._run_id = run_id
        self._timeout = timeout
        self._end = None if timeout is None else time.monotonic() + timeout
        self._pause = FIRST_PAUSE

    def pause(self) -> None:
        left = self._pause if self._end is None else self._end - time.monotonic()
        if left <= 0:
            raise WaitTimeout(f"Run {self._run_id} has not ended within {self._timeout:g} s; it goes on.")
        time.sleep(min(self._pause, left))
        self._pause = min(self._pause * GROWTH, LONGEST_PAUSE)


class WorkflowExecution:
    """`run` is the run as the platform last told it."""

    def __init__(self, transport: Transport, run: dict[str, Any]) -> None:
        self._transport = transport
        self.run = run

    @property
    def id(self) -> str:
        return str(self.run["id"])

    @property
    def state(self) -> str:
        """pending, running, paused, waiting, completed, failed or cancelled; asks while it can change."""
        return str((self.refresh())["state"])

    @property
    def ended(self) -> bool:
        """Whether the last answer said that the run has ended."""
        return self.run["state"] in ENDED

    def refresh(self) -> dict[str, Any]:
        """The run as it is now."""
        if not self.ended:
            self.run = self._transport.request("GET", f"runs/{self.id}/")
        return self.run

    def wait(self, timeout: float | None = None) -> WorkflowExecution:
        """Returns when the run has ended, whichever way. Raises WaitTimeout after `timeout` seconds."""
        looks = _Looks(self.id, timeout)
        while True:
            self.refresh()
            if self.ended:
                return self
            looks.pause()

    def result(self, timeout: float | None = None) -> Any:
        """The run's output (JSON), however large. Raises RunFailed, RunCancelled, WaitTimeout."""
        output = output_of((self.wait(timeout)).run)
        if not is_reference(output):
            return output
        return self._transport.request("GET", f"artifacts/{part(output['$artifact'])}/")

    def events(self, after: int = 0) -> Iterator[dict[str, Any]]:
        """The run's events in order, as they happen, until its end: {"seq", "type", "at", "data"}."""
        looks = _Looks(self.id, None)
        while True:
            self.refresh()
            ended = self.ended  # asked first: what comes after the end is read below
            for event in self._transport.pages(f"runs/{self.id}/events/", {"after": after}):
                after = event["seq"]
                yield event
            if ended:
                return
            looks.pause()

    def logs(self, step: str | None = None, item: int | None = None) -> list[dict[str, Any]]:
        """What the bodies wrote so far: {"id", "at", "step", "item", "attempt", "stream", "text"}."""
        return self._transport.all(f"runs/{self.id}/logs/", {"step": step, "item": item})

    def follow_logs(self, step: str | None = None, item: int | None = None) -> Iterator[dict[str, Any]]:
        """The same as they are written, until the run's end."""
        looks, after = _Looks(self.id, None), 0
        while True:
            self.refresh()
            ended = self.ended
            query = {"step": step, "item": item, "after": after or None}
            for line in self._transport.pages(f"runs/{self.id}/logs/", query):
                after = line["id"]
                yield line
            if ended:
                return
            looks.pause()

    def steps(self) -> list[dict[str, Any]]:
        """The steps with their states and counts."""
        return self._transport.all(f"runs/{self.id}/steps/")

    def items(self, step: str, state: str | None = None) -> list[dict[str, Any]]:
        """The items of a parallel step; of one state (``failed``), if given."""
        return self._transport.all(f"runs/{self.id}/steps/{part(step)}/items/", {"state": state})

    def cancel(self) -> None:
        """Asks for the run's end; `wait()` tells when it has come."""
        self._ask("cancel")

    def pause(self) -> None:
        """Nothing new starts; what is running finishes, and then the run is paused."""
        self._ask("pause")

    def resume(self) -> None:
        self._ask("resume")

    def retry(self) -> None:
        """Runs again what did not complete: failed steps and items, and what comes after them."""
        self._ask("retry", {})

    def retry_on(self, version: int) -> WorkflowExecution:
        """A new run of another version, which takes over what completed in this one."""
        return self._new("retry", {"version": version})

    def replay(
        self, params: Mapping[str, Any] | None = None, version: int | None = None
    ) -> WorkflowExecution:
        """A new run with this one's params, changed by `params`; of the same version, or of `version`."""
        return self._new("replay", {"params": dict(params or {}), "version": version})

    def decide(self, step: str, approve: bool, data: Any = None) -> None:
        """Decides an approval; `data` is for its form. Raises InvalidRequest with every fault of the form."""
        self._ask(f"steps/{part(step)}/decide", {"approve": approve, "data": data})

    def signal(self, name: str, payload: Any = None) -> None:
        """Sends an event to the run: a step that waits for it, now or later, goes on with the payload."""
        self._ask("signal", {"name": name, "payload": payload})

    def why(self, step: str | None = None, item: int | None = None) -> dict[str, Any]:
        """Why the run, a step or an item is not running: {"code", "sentence", "facts"}."""
        place = "" if step is None else f"steps/{part(step)}/"
        return dict(self._transport.request("GET", f"runs/{self.id}/{place}why/", params={"item": item}))

    def values(self) -> dict[str, Any]:
        """The run's state: the keys that its steps share, with their values."""
        found = (self._transport.request("GET", f"runs/{self.id}/state/"))["results"]
        return {entry["key"]: entry["value"] for entry in found}

    def _ask(self, action: str, body: Any = None) -> None:
        self.run = self._transport.request("POST", f"runs/{self.id}/{action}/", json=body)

    def _new(self, action: str, body: Any) -> WorkflowExecution:
        made = self._transport.request("POST", f"runs/{self.id}/{action}/", json=body)
        return WorkflowExecution(self._transport, made)

    def __repr__(self) -> str:
        return f"WorkflowExecution({self.id!r}, {self.run['state']!r})"
