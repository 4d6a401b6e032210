"""One thread that writes for all runs of an executor, as many changes in one commit as are waiting.

A commit costs the same for one change as for fifty; the more there is to do, the more each commit carries.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time

from django.db import InterfaceError, OperationalError, connection, transaction

from workflows.services.journal import Change, ClaimLost, Woken, apply

log = logging.getLogger(__name__)

MAX_GROUP = 64
GIVE_UP_AFTER = 60.0  # seconds of a database that refuses to write
_PAUSE = 0.2

_Entry = tuple[Change, "asyncio.Future[int]"]


class Writer:
    """`commit` may be called from the loop it was made on; `close` waits for what was handed in."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    async def commit(self, change: Change) -> int:
        """Durable when it returns; the number of the run's last event. Raises ClaimLost, Woken, or
        what the database said of this change."""
        future: asyncio.Future[int] = self._loop.create_future()
        self._queue.put((change, future))
        return await future

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join(timeout=10)

    def _work(self) -> None:
        try:
            while (group := self._next_group()) is not None:
                self._write(group)
        finally:
            connection.close()

    def _next_group(self) -> list[_Entry] | None:
        entry = self._queue.get()
        if entry is None:
            return None
        group = [entry]
        while len(group) < MAX_GROUP:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                break
            if following is None:
                self._queue.put(None)
                break
            group.append(following)
        return group

    def _write(self, group: list[_Entry]) -> None:
        stop_at = time.monotonic() + GIVE_UP_AFTER
        results: list[int | BaseException]
        while True:
            try:
                results = _write_together([change for change, _ in group])
                break
            except (OperationalError, InterfaceError) as exc:
                connection.close()
                if time.monotonic() > stop_at:
                    results = [exc] * len(group)
                    break
                log.warning("the database refuses to write, trying again: %s", exc)
                time.sleep(_PAUSE)
            except Exception:
                # One change is at fault; alone, each of the others is written.
                results = [_write_alone(change) for change, _ in group]
                break
        self._loop.call_soon_threadsafe(_settle, group, results)


def _write_together(changes: list[Change]) -> list[int | BaseException]:
    results: list[int | BaseException] = []
    with transaction.atomic():
        for change in changes:
            try:
                results.append(apply(change))
            except (ClaimLost, Woken) as exc:
                results.append(exc)  # raised by the first statement: nothing of it was written
    return results


def _write_alone(change: Change) -> int | BaseException:
    try:
        return _write_together([change])[0]
    except Exception as exc:
        log.exception("a change of run %s cannot be written", change.run_id)
        return exc


def _settle(group: list[_Entry], results: list[int | BaseException]) -> None:
    for (_, future), result in zip(group, results, strict=True):
        if future.done():
            continue
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)
