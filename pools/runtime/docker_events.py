"""Deaths that an engine tells of: followed in a thread, and handed to the loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol
from uuid import UUID

import docker
import requests
from docker.errors import DockerException

from pools.runtime.base import AgentDeath

log = logging.getLogger(__name__)

Tell = Callable[[AgentDeath], None]


class Watch(Protocol):
    """`run` goes on in a thread until its event is set; `interrupt` breaks off what it may be waiting for."""

    def run(self) -> None: ...

    def interrupt(self) -> None: ...


MakeWatch = Callable[[Tell, threading.Event], Watch]


async def told(make: MakeWatch) -> AsyncIterator[AgentDeath]:
    """What a watch tells, on the loop; it ends with the iteration."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[AgentDeath] = asyncio.Queue()
    stop = threading.Event()

    def tell(death: AgentDeath) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(queue.put_nowait, death)

    watch = make(tell, stop)
    threading.Thread(target=watch.run, name="engine-events", daemon=True).start()
    try:
        while True:
            yield await queue.get()
    finally:
        stop.set()
        watch.interrupt()


def _patient() -> docker.DockerClient:
    return docker.from_env(timeout=None)  # type: ignore[arg-type]


class EventWatcher:
    """Follows an engine's events in a thread, and takes the stream up again when it breaks."""

    def __init__(
        self,
        instance: str,
        tell: Tell,
        stop: threading.Event,
        connect: Callable[[], docker.DockerClient] = _patient,
        *,
        kind: str = "agentainer.agent",
        actions: Sequence[str] = ("die",),
    ) -> None:
        """`kind` is the label with the ids of the agents that are watched."""
        self._kind = kind
        self._filters = {
            "type": "container",
            "event": list(actions),
            "label": f"agentainer.instance={instance}",
        }
        self._tell = tell
        self._stop = stop
        self._connect = connect
        self._stream: Any = None
        self._client: docker.DockerClient | None = None

    def run(self) -> None:
        while not self._stop.is_set():
            try:
                self._client = self._connect()
                self._stream = self._client.api.events(decode=True, filters=self._filters)
                for event in self._stream:
                    self._read(event)
                    if self._stop.is_set():
                        break
            except Exception as exc:  # whatever broke the stream, the timer's reconcile covers the gap
                if not self._stop.is_set():
                    log.warning("the Docker events broke off: %s", exc)
            finally:
                if self._client is not None:
                    self._client.close()
            self._stop.wait(1.0)

    def _read(self, event: dict[str, Any]) -> None:
        attributes = event.get("Actor", {}).get("Attributes", {})
        agent = attributes.get(self._kind)
        if agent:
            died = event.get("Action") == "die"
            self._tell(AgentDeath(UUID(agent), died and self._out_of_memory(event.get("id", ""))))

    def _out_of_memory(self, container: str) -> bool:
        assert self._client is not None
        try:
            return bool(self._client.api.inspect_container(container)["State"]["OOMKilled"])
        except (DockerException, requests.RequestException, KeyError):
            return False

    def interrupt(self) -> None:
        with contextlib.suppress(Exception):
            self._stream.close()
