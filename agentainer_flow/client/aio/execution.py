"""One run, seen from a program that waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from agentainer_flow.client.paths import part
from agentainer_flow.errors import WaitTimeout
from agentainer_flow.outcomes import ENDED, is_reference, output_of

if TYPE_CHECKING:
    from agentainer_flow.client.aio.transport import AsyncTransport

FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.02, 0.5, 1.5  # seconds between two looks


class _Looks:
    """Pauses that grow. Raises WaitTimeout once `timeout` seconds have passed."""

    def __init__(self, run_id: str, timeout: float | None) -> None:
        self._run_id = run_id
        self._timeout = timeout
        self._end = None if timeout is None else time.monotonic() + timeout
        self._pause = FIRST_PAUSE

    async def pause(self) -> None:
        left = self._pause if self._end is None else self._end - time.monotonic()
        if left <= 0:
            raise WaitTimeout(f"Run {self._run_id} has not ended within {self._timeout:g} s; it goes on.")
        await asyncio.sleep(min(self._pause, left))
        self._pause = min(self._pause * GROWTH, LONGEST_PAUSE)


class AsyncWorkflowExecution:
    """`run` is the run as the platform last told it."""

    def __init__(self, transport: AsyncTransport, run: dict[str, Any]) -> None:
        self._transport = transport
        self.run = run

    @property
    def id(self) -> str:
        return str(self.run["id"])

    @property
    async def state(self) -> str:
        """pending, running, paused, waiting, completed, failed or cancelled; asks while it can change."""
        return str((await self.refresh())["state"])

    @property
    def ended(self) -> bool:
        """Whether the last answer said that the run has ended."""
        return self.run["state"] in ENDED

    async def refresh(self) -> dict[str, Any]:
        """The run as it is now."""
        if not self.ended:
            self.run = await self._transport.request("GET", f"runs/{self.id}/")
        return self.run

    async def wait(self, timeout: float | None = None) -> AsyncWorkflowExecution:  # noqa: ASYNC109
        """Returns when the run has ended, whichever way. Raises WaitTimeout after `timeout` seconds."""
        looks = _Looks(self.id, timeout)
        while True:
            await self.refresh()
            if self.ended:
                return self
            await looks.pause()

    async def result(self, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        """The run's output (JSON), however large. Raises RunFailed, RunCancelled, WaitTimeout."""
        output = output_of((await self.wait(timeout)).run)
        if not is_reference(output):
            return output
        return await self._transport.request("GET", f"artifacts/{part(output['$artifact'])}/")

    async def events(self, after: int = 0) -> AsyncIterator[dict[str, Any]]:
        """The run's events in order, as they happen, until its end: {"seq", "type", "at", "data"}."""
        looks = _Looks(self.id, None)
        while True:
            await self.refresh()
            ended = self.ended  # asked first: what comes after the end is read below
            async for event in self._transport.pages(f"runs/{self.id}/events/", {"after": after}):
                after = event["seq"]
                yield event
            if ended:
                return
            await looks.pause()

    async def logs(self, step: str | None = None, item: int | None = None) -> list[dict[str, Any]]:
        """What the bodies wrote so far: {"id", "at", "step", "item", "attempt", "stream", "text"}."""
        return await self._transport.all(f"runs/{self.id}/logs/", {"step": step, "item": item})

    async def follow_logs(
        self, step: str | None = None, item: int | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """The same as they are written, until the run's end."""
        looks, after = _Looks(self.id, None), 0
        while True:
            await self.refresh()
            ended = self.ended
            query = {"step": step, "item": item, "after": after or None}
            async for line in self._transport.pages(f"runs/{self.id}/logs/", query):
                after = line["id"]
                yield line
            if ended:
                return
            await looks.pause()

    async def steps(self) -> list[dict[str, Any]]:
        """The steps with their states and counts."""
        return await self._transport.all(f"runs/{self.id}/steps/")

    async def items(self, step: str, state: str | None = None) -> list[dict[str, Any]]:
        """The items of a parallel step; of one state (``failed``), if given."""
        return await self._transport.all(f"runs/{self.id}/steps/{part(step)}/items/", {"state": state})

    async def cancel(self) -> None:
        """Asks for the run's end; `wait()` tells when it has come."""
        await self._ask("cancel")

    async def pause(self) -> None:
        """Nothing new starts; what is running finishes, and then the run is paused."""
        await self._ask("pause")

    async def resume(self) -> None:
        await self._ask("resume")

    async def retry(self) -> None:
        """Runs again what did not complete: failed steps and items, and what comes after them."""
        await self._ask("retry", {})

    async def retry_on(self, version: int) -> AsyncWorkflowExecution:
        """A new run of another version, which takes over what completed in this one."""
        return await self._new("retry", {"version": version})

    async def replay(
        self, params: Mapping[str, Any] | None = None, version: int | None = None
    ) -> AsyncWorkflowExecution:
        """A new run with this one's params, changed by `params`; of the same version, or of `version`."""
        return await self._new("replay", {"params": dict(params or {}), "version": version})

    async def decide(self, step: str, approve: bool, data: Any = None) -> None:
        """Decides an approval; `data` is for its form. Raises InvalidRequest with every fault of the form."""
        await self._ask(f"steps/{part(step)}/decide", {"approve": approve, "data": data})

    async def signal(self, name: str, payload: Any = None) -> None:
        """Sends an event to the run: a step that waits for it, now or later, goes on with the payload."""
        await self._ask("signal", {"name": name, "payload": payload})

    async def why(self, step: str | None = None, item: int | None = None) -> dict[str, Any]:
        """Why the run, a step or an item is not running: {"code", "sentence", "facts"}."""
        place = "" if step is None else f"steps/{part(step)}/"
        return dict(
            await self._transport.request("GET", f"runs/{self.id}/{place}why/", params={"item": item})
        )

    async def values(self) -> dict[str, Any]:
        """The run's state: the keys that its steps share, with their values."""
        found = (await self._transport.request("GET", f"runs/{self.id}/state/"))["results"]
        return {entry["key"]: entry["value"] for entry in found}

    async def _ask(self, action: str, body: Any = None) -> None:
        self.run = await self._transport.request("POST", f"runs/{self.id}/{action}/", json=body)

    async def _new(self, action: str, body: Any) -> AsyncWorkflowExecution:
        made = await self._transport.request("POST", f"runs/{self.id}/{action}/", json=body)
        return AsyncWorkflowExecution(self._transport, made)

    def __repr__(self) -> str:
        return f"AsyncWorkflowExecution({self.id!r}, {self.run['state']!r})"
