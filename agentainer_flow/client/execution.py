"""One run, as a client sees it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from agentainer_flow.client.transport import Transport, segment
from agentainer_flow.errors import RunCancelled, RunFailed, WaitTimeout

ENDED = frozenset({"completed", "failed", "cancelled"})
_FIRST_LOOK = 0.02  # seconds; looks become rarer the longer it takes
_RAREST_LOOK = 1.0


class WorkflowExecution:
    """A run. `id` and `workflow` are fixed; `details` is what the platform said last (see `refresh`)."""

    def __init__(self, transport: Transport, details: dict[str, Any]) -> None:
        self._transport = transport
        self.details = details
        self.id: str = str(details["id"])
        self.workflow: str = str(details["workflow"])

    def __repr__(self) -> str:
        return f"<WorkflowExecution {self.id} of {self.workflow}: {self.details['state']}>"

    @property
    def _path(self) -> str:
        return f"runs/{segment(self.id)}/"

    @property
    def ended(self) -> bool:
        """Whether it had ended when the platform was asked last."""
        return self.details["state"] in ENDED

    @property
    def state(self) -> str:
        """pending, running, completed, failed or cancelled; asks the platform while the run goes on."""
        if not self.ended:
            self.refresh()
        return str(self.details["state"])

    def refresh(self) -> WorkflowExecution:
        """Asks the platform."""
        self.details = self._transport.request("GET", self._path)
        return self

    def wait(self, timeout: float | None = None) -> WorkflowExecution:
        """Returns when the run has ended, however it did. Raises WaitTimeout after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = _FIRST_LOOK
        while not self.ended and not self.refresh().ended:
            if deadline is not None:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise WaitTimeout(
                        f"Run {self.id} of {self.workflow} has not ended after {timeout:g} s; it goes on."
                    )
                pause = min(pause, left)
            time.sleep(pause)
            pause = min(_RAREST_LOOK, pause * 1.5)
        return self

    def result(self, timeout: float | None = None) -> Any:
        """The run's output, once it has ended. Raises RunFailed, RunCancelled, WaitTimeout."""
        self.wait(timeout)
        state = self.details["state"]
        if state == "completed":
            return self.details.get("output")
        error = self.details.get("error") or {}
        if state == "cancelled":
            raise RunCancelled(self.id, state, f"Run {self.id} of {self.workflow} was cancelled.")
        step, message = error.get("step"), error.get("message") or "no reason was given"
        where = f" in step {step}" if step else ""
        failed = RunFailed(
            self.id,
            state,
            f"Run {self.id} of {self.workflow} failed{where}: {message}",
            step,
            error.get("traceback"),
        )
        failed.type = str(error.get("type") or "error")
        raise failed

    def cancel(self) -> WorkflowExecution:
        """Asks for the run's end; `wait` for it."""
        self.details = self._transport.request("POST", f"{self._path}cancel/", repeatable=True)
        return self

    def steps(self) -> list[dict[str, Any]]:
        """The run's steps with their states and counts."""
        found: list[dict[str, Any]] = self._transport.request("GET", f"{self._path}steps/")["results"]
        return found

    def items(self, step: str, *, state: str | None = None) -> Iterator[dict[str, Any]]:
        """The items of a map step, by index."""
        for page in self._transport.pages(f"{self._path}steps/{segment(step)}/items/", {"state": state}):
            yield from page

    def events(self, *, after: int = 0, follow: bool = False) -> Iterator[dict[str, Any]]:
        """{"seq", "type", "at", "data"} in order; with `follow` until the run has ended."""
        pause = _FIRST_LOOK
        while True:
            last_round = not follow or self.ended or self.refresh().ended
            for page in self._transport.pages(f"{self._path}events/", {"after": after}):
                for event in page:
                    after, pause = event["seq"], _FIRST_LOOK
                    yield event
            if last_round:
                return
            time.sleep(pause)
            pause = min(_RAREST_LOOK, pause * 1.5)

    def logs(
        self, *, step: str | None = None, item: int | None = None, follow: bool = False
    ) -> Iterator[dict[str, Any]]:
        """{"id", "at", "step", "item", "attempt", "stream", "text"} in order; with `follow` until the end."""
        shown, pause = 0, _FIRST_LOOK
        while True:
            last_round = not follow or self.ended or self.refresh().ended
            for page in self._transport.pages(f"{self._path}logs/", {"step": step, "item": item}):
                for line in page:
                    if line["id"] > shown:
                        shown, pause = line["id"], _FIRST_LOOK
                        yield line
            if last_round:
                return
            time.sleep(pause)
            pause = min(_RAREST_LOOK, pause * 1.5)
