"""Deaths in a swarm. The manager tells of none: nodes' engines tell of their containers, and nodes that go
are seen by looking.

Follows each node's events in a thread, and looks at the nodes twice a second.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pools.runtime.base import AgentDeath, EngineAway, RuntimeFault
from pools.runtime.docker_events import EventWatcher, Tell
from pools.runtime.swarm_shapes import SwarmNode, SwarmTask

log = logging.getLogger(__name__)

LOOK_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class _Followed:
    watcher: EventWatcher
    stop: threading.Event
    engine: str

    def end(self) -> None:
        self.stop.set()
        self.watcher.interrupt()


class SwarmWatch:
    """`follow` makes a watcher of a node's engine; `forget` is told the ref of a lost node. `look` tells the
    nodes by ref, `tasks_on` what the manager believes to be on one."""

    def __init__(
        self,
        follow: Callable[[SwarmNode, threading.Event], EventWatcher],
        forget: Callable[[str], None],
        look: Callable[[], Mapping[str, SwarmNode]],
        tasks_on: Callable[[str], list[SwarmTask]],
        tell: Tell,
        stop: threading.Event,
    ) -> None:
        self._watcher = follow
        self._forget = forget
        self._look = look
        self._tasks_on = tasks_on
        self._tell = tell
        self._stop = stop
        self._followed: dict[str, _Followed] = {}
        self._lost: set[str] = set()

    def run(self) -> None:
        away = False
        while not self._stop.is_set():
            try:
                self._step(self._look())
                away = False
            except RuntimeFault as exc:
                if not away:
                    log.warning("the swarm's nodes are out of sight: %s", exc)
                away = isinstance(exc, EngineAway)
            except Exception:  # a fault of ours must not end the thread; the timer's reconcile covers the gap
                log.exception("looking at the swarm's nodes broke off")
            self._stop.wait(LOOK_EVERY)
        for followed in self._followed.values():
            followed.end()

    def interrupt(self) -> None:
        """Nothing is to be broken off: it looks up twice a second."""

    def _step(self, nodes: Mapping[str, SwarmNode]) -> None:
        for ref, node in nodes.items():
            if node.seen.heard:
                self._lost.discard(ref)
                self._follow(ref, node)
            elif ref not in self._lost:
                self._tell_lost(ref, node)
        for ref in set(self._followed) - set(nodes):
            self._followed.pop(ref).end()
        self._lost &= set(nodes)

    def _follow(self, ref: str, node: SwarmNode) -> None:
        known = self._followed.get(ref)
        if known is not None and known.engine == node.engine:
            return
        if known is not None:
            self._followed.pop(ref).end()
        if not node.engine:
            return
        stop = threading.Event()
        watcher = self._watcher(node, stop)
        self._followed[ref] = _Followed(watcher, stop, node.engine)
        name = f"events of {node.seen.name}"
        threading.Thread(target=watcher.run, name=name, daemon=True).start()

    def _tell_lost(self, ref: str, node: SwarmNode) -> None:
        tasks = self._tasks_on(ref)  # before it counts as told: it may have to be asked again
        self._lost.add(ref)
        if ref in self._followed:
            self._followed.pop(ref).end()  # a cut line says nothing, not even that it is cut
        self._forget(ref)
        log.warning("node %s is lost, with %d tasks of agents", node.seen.name, len(tasks))
        for task in tasks:
            self._tell(AgentDeath(task.agent_id, node_lost=True))
