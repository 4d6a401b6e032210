"""Few at a time, each once, and none that keeps the process from ending."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pools.runtime import installs
from pools.runtime.base import RuntimeFault
from pools.runtime.installs import AT_ONCE, Installs
from tests.fakes.pools import until


class Making:
    """An image that is made once it is told to go on."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.times = 0
        self.thread: threading.Thread | None = None

    def __call__(self) -> str:
        self.times += 1
        self.thread = threading.current_thread()
        self.begun.set()
        self.go.wait()
        return "made"


async def test_few_are_made_at_once_and_each_once() -> None:
    work = Installs()
    makings = [Making() for _ in range(AT_ONCE + 1)]
    first, *_, last = makings
    waiting = [asyncio.create_task(work.image((str(i),), make)) for i, make in enumerate(makings)]
    waiting.append(asyncio.create_task(work.image(("0",), first)))
    for making in makings[:AT_ONCE]:
        await until(making.begun.is_set)
    assert not last.begun.is_set()
    first.go.set()
    await until(last.begun.is_set)
    for making in makings:
        making.go.set()
    assert await asyncio.gather(*waiting) == ["made"] * (AT_ONCE + 2)
    assert [making.times for making in makings] == [1] * len(makings)
    await work.close()


async def test_faults_are_told_and_forgotten() -> None:
    work = Installs()

    def fail() -> str:
        raise RuntimeFault("No.")

    for _ in range(2):
        with pytest.raises(RuntimeFault, match="No"):
            await work.image(("a",), fail)


async def test_closing_waits_for_nobody_who_does_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installs, "PATIENCE", 0.01)
    work, making, next_one = Installs(), [Making() for _ in range(AT_ONCE)], Making()
    waiting = [asyncio.create_task(work.image((str(i),), make)) for i, make in enumerate(making)]
    for one in making:
        await until(one.begun.is_set)
    later = asyncio.create_task(work.image(("later",), next_one))
    await work.close()
    assert work.stop.is_set()
    assert not any(task.done() for task in waiting)
    assert all(one.thread is not None and one.thread.daemon for one in making)
    for one in making:
        one.go.set()
    await asyncio.gather(*waiting)
    with pytest.raises(RuntimeFault, match="platform stopped"):
        await later
    assert not next_one.begun.is_set()
