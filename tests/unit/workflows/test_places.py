"""Places of a run's `max_parallel`."""

from __future__ import annotations

import asyncio

import pytest

from workflows.engine.places import Place


async def test_a_place_that_is_left_is_others_until_it_is_taken_again() -> None:
    places = asyncio.Semaphore(1)
    async with Place(places) as mine:
        assert places.locked()
        mine.leave()
        async with Place(places):
            back = asyncio.create_task(mine.take())
            await asyncio.sleep(0)
            assert not back.done()
        await back
        await mine.take()
        assert places.locked()
    assert places._value == 1


async def test_who_is_cancelled_on_the_way_back_gives_nothing_back_that_it_has_not() -> None:
    places = asyncio.Semaphore(1)

    async def waits() -> None:
        async with Place(places) as place:
            place.leave()
            await other.__aenter__()
            await place.take()

    other = Place(places)
    waiting = asyncio.create_task(waits())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert places.locked()
    other.leave()
    assert places._value == 1
