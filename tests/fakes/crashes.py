"""Processes that can be killed at any of their awaits on something outside: Redis, database, engine, agents.

`Process.live` runs work whose calls to the ports are numbered points, before and after each. At the chosen
one `Killed` is raised, and from then on nothing that this process does has an effect any more: its tasks are
cancelled, and what they do on their way out fails at its first call, as if it had never been tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from typing import Any

import channels.db
import pytest

from pools.leases.scripts import Script
from pools.leases.wire import Wire
from pools.runtime.contract import AgentHttp
from pools.runtime.memory import MemoryRuntime
from pools.services.controller import registry

RUNTIME = ("start", "ping", "ensure_image", "create", "remove", "list_agents", "nodes", "logs")
HTTP = ("health", "send", "tell")


class Killed(BaseException):
    """Not an `Exception`: a process that is killed handles nothing."""


class Process:
    """`crash_at`: the number of the point at which it is killed; a large one lets it live. Points count while
    it is `armed`."""

    def __init__(self, crash_at: int = 2**31) -> None:
        self._crash_at = crash_at
        self.armed = False
        self.points: list[str] = []
        self.tasks: set[asyncio.Task[Any]] = set()
        self._dead = asyncio.Event()

    @property
    def dead(self) -> bool:
        return self._dead.is_set()

    def reach(self, point: str) -> None:
        if self.dead:
            raise Killed(point)
        if not self.armed:
            return
        self.points.append(point)
        if len(self.points) > self._crash_at:
            self._dead.set()
            raise Killed(point)

    async def live(self, work: Coroutine[Any, Any, None]) -> None:
        """Returns when the work is done, or when this process is dead and nothing of it moves any more."""
        context = copy_context()
        context.run(_process.set, self)
        task = asyncio.create_task(work, context=context)
        dying = asyncio.create_task(self._dead.wait())
        await asyncio.wait({task, dying}, return_when=asyncio.FIRST_COMPLETED)
        dying.cancel()
        if not self.dead:
            task.result()
        while self.dead and (left := {task for task in self.tasks if not task.done()}):
            for one in left:
                one.cancel()
            await asyncio.wait(left)
        await asyncio.gather(*(task for task in self.tasks if task.done()), dying, return_exceptions=True)


_process: ContextVar[Process | None] = ContextVar("process", default=None)


def _mortal(call: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
    async def called(*args: Any, **options: Any) -> Any:
        process = _process.get()
        if process is None:
            return await call(*args, **options)
        point = name(*args)
        process.reach(f"before {point}")
        result = await call(*args, **options)
        process.reach(f"after {point}")
        return result

    return called


def _by_itself(call: Callable[..., Any]) -> Callable[..., Any]:
    """An engine belongs to none who asks it: it ends what it began, and what it runs goes on."""

    async def called(*args: Any, **options: Any) -> Any:
        context = copy_context()
        context.run(_process.set, None)
        return await asyncio.shield(asyncio.create_task(call(*args, **options), context=context))

    return called


def _script(_wire: Wire, script: Script, *_: Any) -> str:
    return script.name


def _command(_wire: Wire, *command: Any) -> str:
    return str(command[0])


def _function(function: Any, *_: Any) -> str:
    return str(getattr(function, "__name__", function))


def mortal_ports(patch: pytest.MonkeyPatch, runtime: type[MemoryRuntime] = MemoryRuntime) -> None:
    """Makes points of every call to a port, for as long as the patch lasts."""
    patch.setattr(Wire, "run", _mortal(Wire.run, _script))
    patch.setattr(Wire, "call", _mortal(Wire.call, _command))
    for name in RUNTIME:
        call = _by_itself(getattr(runtime, name))
        patch.setattr(runtime, name, _mortal(call, lambda *_, name=name: f"runtime {name}"))
    for name in HTTP:
        patch.setattr(
            AgentHttp, name, _mortal(getattr(AgentHttp, name), lambda *_, name=name: f"http {name}")
        )
    threaded = channels.db.database_sync_to_async

    def in_thread(function: Any) -> Any:
        return _mortal(threaded(function), lambda *_: f"database {_function(function)}")

    patch.setattr(registry, "database_sync_to_async", in_thread)


def know_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Every task belongs to the process in whose context it was made."""

    def make(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        context = options.get("context")
        process = context.get(_process) if context is not None else _process.get()
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
        if process is not None:
            process.tasks.add(task)
        return task

    loop.set_task_factory(make)
