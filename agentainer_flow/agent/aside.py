"""Calls whose bodies wait for others: they are kept aside with their workers, and need no turn to go on.

Does not: decide who may go on; the executor answers a body only when it has a place again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from agentainer_flow.agent.calls import Call
from agentainer_flow.agent.workers import Worker


class Aside:
    def __init__(self) -> None:
        self._calls: dict[Worker, Call] = {}
        self._when_ended: dict[Worker, list[Callable[[], None]]] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._calls.values()))

    def put(self, worker: Worker, call: Call) -> None:
        self._calls[worker] = call

    def of(self, worker: Worker) -> Call | None:
        """The call that this worker serves."""
        return self._calls.get(worker)

    def with_lease(self, lease: str) -> tuple[Worker, Call] | None:
        return next(((worker, call) for worker, call in self._calls.items() if call.lease == lease), None)

    def worker_of(self, call: Call) -> Worker | None:
        return next((worker for worker, one in self._calls.items() if one is call), None)

    def when_ended(self, worker: Worker, action: Callable[[], None]) -> None:
        self._when_ended.setdefault(worker, []).append(action)

    def take(self, worker: Worker) -> Call | None:
        """The call, which is over with this worker."""
        return self._calls.pop(worker, None)

    def tell_ended(self, worker: Worker) -> None:
        for action in self._when_ended.pop(worker, ()):
            action()
