"""Images that take minutes to make, because packages are installed for them: in threads of their own, few at
a time, each once for all who want it.

Does not: make them (`requirement_images`), or look whether one is there.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future

from pools.runtime.base import RuntimeFault

AT_ONCE = 2
PATIENCE = 5.0  # seconds that closing waits for those under way, which take up their folders meanwhile
STOPPED = "The platform stopped while requirements were installed."


class Installs:
    def __init__(self) -> None:
        self.stop = threading.Event()  # for those who make an image: to be looked at often
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[tuple[str, ...], asyncio.Task[str]] = {}

    async def image(self, requirements: tuple[str, ...], make: Callable[[], str]) -> str:
        """What `make` returns, or raises. Raises `RuntimeFault` once this is closed."""
        task = self._tasks.get(requirements)
        if task is None:
            task = asyncio.create_task(self._made(make))
            self._tasks[requirements] = task
            task.add_done_callback(lambda done: self._done(requirements, done))
        return await asyncio.shield(task)

    async def _made(self, make: Callable[[], str]) -> str:
        async with self._slots:
            if self.stop.is_set():
                raise RuntimeFault(STOPPED)
            return await _in_daemon(make)

    def _done(self, requirements: tuple[str, ...], task: asyncio.Task[str]) -> None:
        del self._tasks[requirements]
        if not task.cancelled():
            task.exception()  # whoever wanted it may be gone

    async def close(self) -> None:
        self.stop.set()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=PATIENCE)


async def _in_daemon(make: Callable[[], str]) -> str:
    """The threads of executors are joined when the process ends, however long their engine is silent."""
    made: Future[str] = Future()
    made.set_running_or_notify_cancel()

    def work() -> None:
        try:
            made.set_result(make())
        except BaseException as exc:
            made.set_exception(exc)

    threading.Thread(target=work, name="installs", daemon=True).start()
    return await asyncio.wrap_future(made)
