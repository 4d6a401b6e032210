"""Where agents go that a policy makes: by its base and spot settings, whatever made it ask for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from channels.db import database_sync_to_async

from pools.domain.placement import Place
from pools.facade import api as pools
from pools.facade.contracts import Steering
from pools.models import Pool
from pools.runtime.memory import MemoryRuntime
from scaling.domain.forecasting.outlook import Guess, Outlook, Why
from scaling.domain.rollup import number_of
from scaling.models import ScalingDecision, ScalingPolicy
from scaling.services.board import Board
from scaling.services.scaler import Scaler
from tests.factories.pools import make_pool
from tests.fakes.pools import Plant, rows_of, site, until

pytestmark = pytest.mark.django_db(transaction=True)

NOW, AT = 1000.0, 1_800_000_000.0
CALLERS = 5
HIGH = 1.5  # busy agents, for which a policy wants five


def two_nodes() -> Plant:
    runtime = MemoryRuntime(nodes=("spot", "steady"))
    spot = runtime.machines["spot"]
    runtime.machines["spot"] = replace(spot, labels={"agentainer.capacity": "spot"})
    return site(runtime)


@database_sync_to_async
def new_pool(**policy: Any) -> Pool:
    pool = make_pool(min_size=2, max_size=20)
    ScalingPolicy.objects.create(team=pool.team, pool=pool.name, values={"prediction": "on", **policy})
    return pool


@asynccontextmanager
async def asked_by(cause: str, plant: Plant, pool: Pool, board: Board) -> AsyncIterator[None]:
    """Nobody yet, whom a forecast expects; or callers that wait."""
    if cause == "forecast":
        guess = Guess(at=number_of(AT), raw=0.0, high=HIGH, median=HIGH)
        board.outlooks[pool.pk] = Outlook(True, Why.PAYS, "naive", 1, guess, 0.95, ())
        yield
        return
    async with plant.brokering() as broker:
        asking = [
            asyncio.create_task(broker.acquire(pool.pk, holder=f"h{n}", team_id=pool.team_id, timeout=600))
            for n in range(CALLERS)
        ]

        async def wait() -> bool:
            (load,) = await database_sync_to_async(pools.load)()
            return load.waiting == CALLERS

        await until(wait)
        yield
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


@pytest.mark.parametrize("cause", ["forecast", "queue_depth"])
@pytest.mark.parametrize(
    ("prefer_spot", "kinds", "rooms"),
    [
        (True, ["on_demand"] * 2 + ["spot"] * 3, {Place("on_demand"): 2, Place("spot"): 3}),
        (False, [""] * 5, {Place(): 5}),
    ],
)
async def test_a_forecasts_agents_are_spread_as_those_for_callers(
    cause: str, prefer_spot: bool, kinds: list[str], rooms: dict[Place, int]
) -> None:
    """The base is on demand and spot above it; node groups are told of the same."""
    plant, board = two_nodes(), Board()
    pool = await new_pool(prefer_spot=prefer_spot)
    scaler = Scaler(board=board)
    controller = plant.controller()
    controller.steer({pool.pk: Steering(0, ceiling=0)}, 600)  # none before the scaler has spoken
    await controller.start()
    try:
        await controller.tick()
        async with asked_by(cause, plant, pool, board):
            steering = await database_sync_to_async(scaler.evaluate)(NOW, AT)
            decision = await database_sync_to_async(ScalingDecision.objects.latest)("pk")
            assert (decision.reason, decision.target_size) == (cause, 5)
            assert steering == {pool.pk: Steering(5, prefer_spot=prefer_spot, spares=15)}
            controller.steer(steering, 600)
            await controller.tick()
            assert sorted(agent.capacity_type for agent in await rows_of(pool.pk)) == kinds
            assert {one.place: one.count for one in controller.demands() or ()} == rooms
    finally:
        await controller.close()
        await plant.runtime.close()
