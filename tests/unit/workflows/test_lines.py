"""Lines of calls that wait for the same money: whose turn it is, and who is told that nothing goes on."""

from __future__ import annotations

import asyncio

from workflows.engine.lines import Line


class Asked:
    """Calls that have their turn one after the other, until each is told to go."""

    def __init__(self) -> None:
        self.line = Line("r/p/50/1")
        self.turns: list[int] = []
        self.stuck: list[int] = []
        self.go: dict[int, asyncio.Event] = {}

    async def call(self, number: int) -> None:
        async with self.line.turn(number, lambda: self.stuck.append(number)):
            self.turns.append(number)
            await self.go[number].wait()

    async def begin(self, number: int) -> asyncio.Task[None]:
        self.go[number] = asyncio.Event()
        task = asyncio.create_task(self.call(number))
        await asyncio.sleep(0)
        return task

    async def end(self, number: int) -> None:
        self.go[number].set()
        await settle()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_asks_at_a_time_and_one_that_comes_back_is_before_those_that_came_later() -> None:
    asked = Asked()
    tasks = [await asked.begin(number) for number in (3, 5, 4, 1)]
    assert (asked.turns, asked.line.length) == ([3], 4)
    for number in (3, 1, 4, 5):
        await asked.end(number)
    await asyncio.gather(*tasks)
    assert (asked.turns, asked.line.length) == ([3, 1, 4, 5], 0)


async def test_who_is_cancelled_keeps_nobody_waiting() -> None:
    asked = Asked()
    first, second, third, fourth = [await asked.begin(number) for number in range(4)]
    second.cancel()
    await settle()
    assert asked.line.length == 3
    asked.go[0].set()
    await asyncio.sleep(0)  # the turn is the third's, which does not know it yet
    third.cancel()
    await settle()
    assert asked.turns == [0, 3]
    fourth.cancel()
    await asyncio.gather(first, second, third, fourth, return_exceptions=True)
    assert asked.line.length == 0


async def test_all_learn_that_the_line_is_stuck_once() -> None:
    asked = Asked()
    tasks = [await asked.begin(number) for number in range(3)]
    refused = asyncio.create_task(asked.line.stuck(3600.0))
    await settle()
    assert asked.stuck == [0, 1, 2]
    tasks.append(await asked.begin(3))
    assert asked.stuck == [0, 1, 2, 3], "one that comes now learns it at once"
    asked.line.stir()
    await refused
    refused = asyncio.create_task(asked.line.stuck(3600.0))
    await settle()
    assert asked.stuck == [0, 1, 2, 3]
    asked.line.stir()
    await refused
    for number in range(4):
        await asked.end(number)
    await asyncio.gather(*tasks)
