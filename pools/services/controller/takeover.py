"""What a controller that begins learns from the rows: which pools are in a crash loop, and, by the agents
that ended lately, which images do not start. Without it each restart would forgive them anew.

Does not: learn what runs (`reality` does).
"""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import datetime, timedelta

from pools.domain.agents import AgentState, EndReason
from pools.domain.lives import Life, breaker_of
from pools.domain.placement import Recipe
from pools.domain.problems import ProblemKind
from pools.models import Agent
from pools.services.controller.crash_loops import CrashLoops
from pools.services.controller.creation import Creator
from pools.services.controller.registry import Registry, in_database, now

REMEMBERED = timedelta(hours=1)  # the longest pause is a minute
MOST = 10_000  # agents


def _ended_lately(since: datetime) -> list[Agent]:
    found = Agent.objects.filter(state=AgentState.GONE.value, ended_at__gte=since, pool__isnull=False)
    return list(found.order_by("-ended_at")[:MOST])


def _ended_at(agent: Agent, moment: datetime) -> datetime | None:
    """One on its way out was counted by who sent it there, and is not counted again when it is gone."""
    leaves = AgentState(agent.state) is AgentState.STOPPING
    return moment if leaves and agent.ended_at is None else agent.ended_at


async def remember(registry: Registry, creator: Creator, loops: CrashLoops) -> None:
    """Once, before the first round."""
    moment, clock = now(), time.monotonic()

    def on_the_clock(at: datetime | None) -> float | None:
        # A clock that was set back must not hold anything up.
        return None if at is None else clock - max(0.0, (moment - at).total_seconds())

    why: dict[Recipe, str] = {}
    for pool in registry.pools.values():
        loops.take_up(pool)
        if pool.problem and pool.problem_kind == ProblemKind.CREATION:
            why[pool.recipe] = pool.problem
    ended: list[Agent] = await in_database(_ended_lately, moment - REMEMBERED)
    of_recipe: dict[Recipe, list[Life]] = defaultdict(list)
    for agent in (*ended, *registry.agents.values()):
        if agent.pool_id is not None and not registry.is_unwanted(agent):
            of_recipe[registry.pools[agent.pool_id].recipe].append(
                Life(
                    on_the_clock(agent.ready_at),
                    on_the_clock(_ended_at(agent, moment)),
                    EndReason(agent.end_reason) if agent.end_reason else None,
                )
            )
    for recipe, lives in of_recipe.items():
        creator.breakers[recipe] = breaker_of(lives, why.get(recipe))
