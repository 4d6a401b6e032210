"""The engine's endless answers (events, logs, usage), read in a thread and handed to the loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as TooLong
from typing import Any, Generic, TypeVar

import docker
import requests
from docker.errors import APIError, DockerException, NotFound

from pools.runtime.base import EngineAway, RuntimeFault

T = TypeVar("T")
AHEAD = 64  # items that are read before somebody wants them
LOOK_EVERY = 0.5  # seconds; how late a reader notices that nobody listens any more


def _patient() -> docker.DockerClient:
    return docker.from_env(timeout=None)  # type: ignore[arg-type]


async def streamed(
    open_stream: Callable[[docker.DockerClient], Iterable[T]],
    connect: Callable[[], docker.DockerClient] = _patient,
) -> AsyncIterator[T]:
    """What `open_stream` yields, in a connection of its own; it ends with it. Raises `RuntimeFault`."""
    reader = _Reader(open_stream, connect, asyncio.get_running_loop())
    threading.Thread(target=reader.run, name="docker-stream", daemon=True).start()
    try:
        while True:
            kind, value = await reader.queue.get()
            if kind == "item":
                yield value
            elif kind == "fault":
                raise value
            else:
                return
    finally:
        reader.stop()


class _Reader(Generic[T]):
    def __init__(
        self,
        open_stream: Callable[[docker.DockerClient], Iterable[T]],
        connect: Callable[[], docker.DockerClient],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.queue: asyncio.Queue[tuple[str, Any]] = asyncio.Queue(AHEAD)
        self._open = open_stream
        self._connect = connect
        self._loop = loop
        self._stopped = threading.Event()
        self._stream: Any = None

    def stop(self) -> None:
        self._stopped.set()
        with contextlib.suppress(Exception):
            self._stream.close()

    def run(self) -> None:
        client: docker.DockerClient | None = None
        try:
            client = self._connect()
            self._stream = self._open(client)
            for item in self._stream:
                if not self._put("item", item):
                    return
            self._put("end", None)
        except NotFound:
            self._put("end", None)
        except APIError as exc:
            self._put("fault", RuntimeFault(f"Docker refused: {exc.explanation or exc}."))
        except (DockerException, requests.RequestException, OSError, ValueError, AttributeError) as exc:
            # The last two come from a connection that was closed under the reader's hands.
            self._put("fault", EngineAway(f"The Docker Engine broke off ({exc})."))
        finally:
            if client is not None:
                client.close()

    def _put(self, kind: str, value: Any) -> bool:
        """Waits for room; False when nobody listens any more."""
        if self._stopped.is_set():
            return False
        try:
            waiting = asyncio.run_coroutine_threadsafe(self.queue.put((kind, value)), self._loop)
        except RuntimeError:  # the loop has ended
            return False
        while not self._stopped.is_set():
            try:
                waiting.result(LOOK_EVERY)
                return True
            except TooLong:
                continue
            except (CancelledError, RuntimeError):
                return False
        waiting.cancel()
        return False
