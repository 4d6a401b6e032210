"""The stepping half of the reconcile: bring every pool to its size, by the pure plan of `domain.sizing`."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from pools.domain.agents import STARTING, AgentState, EndReason, PublicState
from pools.domain.nodes import DrainFigures, may_leave
from pools.domain.settings import Isolation
from pools.domain.sizing import PoolFigures, SizePlan, plan, target_after_reaping
from pools.facade.contracts import Steering
from pools.leases.scripts import QueueFigures, ServingAgent
from pools.leases.store import AsyncLeases
from pools.models import Agent, Pool
from pools.selectors.views import public_state
from pools.services import agents as rows
from pools.services.controller.crash_loops import CrashLoops
from pools.services.controller.creation import Creator
from pools.services.controller.nodes import Nodes
from pools.services.controller.registry import Registry, in_database, now
from pools.services.controller.removal import Remover
from pools.services.controller.spreading import Spreading
from pools.services.controller.wear import Wear, rests

log = logging.getLogger(__name__)


class Sizes:
    def __init__(
        self,
        registry: Registry,
        nodes: Nodes,
        leases: AsyncLeases,
        creator: Creator,
        remover: Remover,
        loops: CrashLoops,
        *,
        instance: str,
        leader: str,
    ) -> None:
        self._registry = registry
        self._nodes = nodes
        self._leases = leases
        self._creator = creator
        self._remover = remover
        self._loops = loops
        self._instance = instance
        self._leader = leader
        self.spreading = Spreading(nodes, creator)
        self.wear = Wear(leases)
        self._steered: dict[UUID, tuple[Steering, float]] = {}  # until when, on the monotonic clock
        self._first_by = 0.0  # on that clock, too

    def steer(self, sizes: Mapping[UUID, Steering], valid: float) -> None:
        """These sizes count for `valid` seconds; after that each pool follows its own demand again, below its
        ceiling: what must not be overrun must not be because the scaler is silent."""
        until, self._first_by = time.monotonic() + valid, 0.0
        self._steered = {pool_id: (steering, until) for pool_id, steering in sizes.items()}

    def await_steering(self, within: float) -> None:
        """No agents are made before sizes are said, for so many seconds at most: nobody knows yet whether a
        budget pays for them."""
        self._first_by = time.monotonic() + within

    @property
    def _awaits_steering(self) -> bool:
        return time.monotonic() < self._first_by

    def _steering(self, pool: Pool) -> Steering | None:
        steering, until = self._steered.get(pool.pk, (None, 0.0))
        if steering is None or time.monotonic() < until:
            return steering
        return Steering(None, steering.ceiling, steering.why, spares=steering.spares)

    def _why_fewer(self, pool: Pool) -> EndReason:
        steering = self._steering(pool)
        if steering is None or steering.ceiling is None:
            return EndReason.SCALE_DOWN
        return EndReason(steering.why)

    async def step(
        self,
        pool: Pool,
        serving: Mapping[UUID, ServingAgent],
        figures: QueueFigures,
        epoch: int,
    ) -> None:
        agents = self._registry.of_pool(pool.pk)
        self._remove_condemned(agents, serving)
        if pool.deleted_at is not None or pool.drained_at is not None:
            self.spreading.demands.pop(pool.pk, None)
        if pool.deleted_at is not None:
            await self._wind_up(pool, agents, serving)
            return
        if pool.drained_at is not None:
            await self._empty(pool, agents, serving)
            return
        steering = self._steering(pool)
        has_place = await self._creator.review(pool, self.spreading.must_be(pool, steering, agents))
        await self._loops.step(pool, serving)
        await self._replace_outdated(agents, serving)
        agents = await self._resume(pool, agents)
        counts, sizes = await self._replace_spent(pool, agents, serving, figures)
        if sizes.retire_idle:
            await self._leases.retire_idle(
                pool.pk,
                sizes.retire_idle,
                idle=0,
                keep=counts.serving - counts.starting - sizes.retire_idle,
                reason=self._why_fewer(pool),
                order=pool.scale_down_order,
            )
        await self._drain_surplus(agents, serving, counts.active - pool.max_size)
        await self._leave_draining_nodes(agents, serving, counts, sizes.target_size)
        reaped = await self._leases.retire_idle(
            pool.pk,
            counts.idle,
            idle=pool.idle_timeout,
            keep=sizes.reap_above,
            reason=EndReason.IDLE_TIMEOUT,
            order=pool.scale_down_order,
        )
        target = sizes.target_size
        if reaped and not counts.steered:
            target = target_after_reaping(target, len(reaped), pool.min_size)
        await self._save_target(pool, target)
        kinds = self.spreading.divide(pool, steering, agents, sizes.create, target)
        if kinds and not reaped and has_place and not self._awaits_steering:
            await self._create(pool, kinds, epoch, counts.resting)

    async def _replace_spent(
        self,
        pool: Pool,
        agents: list[Agent],
        serving: Mapping[UUID, ServingAgent],
        figures: QueueFigures,
    ) -> tuple[PoolFigures, SizePlan]:
        """The old and the worn that may leave do. Returns what the pool had before, and what else is to be
        done."""
        spent = self.wear.look(pool, self._staying(agents), serving, figures)
        counts = replace(
            self._figures(pool, agents, serving, figures),
            overdue=len(spent.overdue),
            wearing=spent.wearing,
            worn=len(spent.worn),
            spares=spent.spares,
        )
        sizes = plan(counts)
        await self.wear.tell(pool, spent, sizes, figures)
        await self.wear.retire(spent, sizes.retire_overdue, sizes.retire_worn)
        return counts, sizes

    def _staying(self, agents: list[Agent]) -> list[Agent]:
        return [agent for agent in agents if agent.node not in self._nodes.draining]

    def _figures(
        self,
        pool: Pool,
        agents: list[Agent],
        serving: Mapping[UUID, ServingAgent],
        figures: QueueFigures,
    ) -> PoolFigures:
        """Agents on a draining node count as leaving while they serve: so their replacements are made."""
        staying = self._staying(agents)
        states = Counter(public_state(agent, serving.get(agent.pk)) for agent in staying)
        moving = len(agents) - len(staying)
        resting = Counter(
            public_state(agent, seen)
            for agent in staying
            if (seen := serving.get(agent.pk)) is not None and rests(seen, pool.max_uses)
        )
        states -= resting
        steering = self._steering(pool)
        wanted = steering.size if steering else None
        return PoolFigures(
            min_size=pool.min_size,
            max_size=pool.max_size,
            warm_up=pool.warm_up,
            target_size=pool.target_size if wanted is None else wanted,
            steered=wanted is not None,
            ceiling=steering.ceiling if steering else None,
            most_spares=steering.spares if steering else None,
            starting=states[PublicState.STARTING],
            idle=states[PublicState.IDLE],
            active=states[PublicState.ACTIVE],
            leaving=states[PublicState.DRAINING] + states[PublicState.UNHEALTHY] + moving,
            waiting=figures.waiting,
            resting=resting.total(),
            apart=pool.isolation == Isolation.TENANT and bool(pool.shares.all()),
        )

    def _remove_condemned(self, agents: list[Agent], serving: Mapping[UUID, ServingAgent]) -> None:
        for agent in agents:
            seen = serving.get(agent.pk)
            if seen is not None and seen.state == "condemned":
                self._remover.begin(agent, EndReason(seen.drain or EndReason.ERRORS))

    async def _replace_outdated(self, agents: list[Agent], serving: Mapping[UUID, ServingAgent]) -> None:
        """Agents of the image or settings that the pool had before: no lease may find them."""
        outdated = [agent for agent in agents if self._registry.is_outdated(agent)]
        await self._end(outdated, serving, EndReason.RECYCLED)

    async def _end(
        self, agents: list[Agent], serving: Mapping[UUID, ServingAgent], reason: EndReason
    ) -> None:
        """Those in service when they are free; the others at once, save those that are just being made."""
        for agent in agents:
            seen = serving.get(agent.pk)
            if seen is not None:
                if seen.state in ("idle", "leased"):
                    await self._leases.drain(agent.pk, reason)
            elif agent.pk not in self._creator.tasks and AgentState(agent.state) is not AgentState.STOPPING:
                self._remover.begin(agent, reason)

    async def _drain_surplus(
        self, agents: list[Agent], serving: Mapping[UUID, ServingAgent], surplus: int
    ) -> None:
        """The pool was made smaller than what is at work in it: so many leave after their lease."""
        if surplus <= 0:
            return
        busy = [agent for agent in agents if _is_at_work(serving.get(agent.pk))]
        for agent in sorted(busy, key=lambda agent: agent.started_at)[:surplus]:
            await self._leases.drain(agent.pk, EndReason.SCALE_DOWN)

    async def _leave_draining_nodes(
        self, agents: list[Agent], serving: Mapping[UUID, ServingAgent], counts: PoolFigures, target: int
    ) -> None:
        """Those at work after their lease, the others at once; each when its replacement is ready."""
        await self._leave_interrupted_nodes(agents, serving)
        doomed = [
            (seen, agent)
            for agent in agents
            if agent.node in self._nodes.draining
            and agent.node not in self._nodes.interrupted
            and (seen := serving.get(agent.pk)) is not None
            and seen.state in ("idle", "leased")
            and not seen.drain
        ]
        if not doomed:
            return
        figures = DrainFigures(
            target=max(target, min(counts.max_size, counts.active + counts.waiting)),
            ready=counts.idle + counts.active,
            starting=counts.starting,
            doomed=len(doomed),
            room=max(0, counts.max_size - counts.live),
            patience_over=any(self._nodes.draining[agent.node] for _, agent in doomed),
        )
        doomed.sort(key=lambda pair: pair[0].state != "idle")
        for _, agent in doomed[: may_leave(figures)]:
            await self._leases.drain(agent.pk, EndReason.RECYCLED)

    async def _leave_interrupted_nodes(
        self, agents: list[Agent], serving: Mapping[UUID, ServingAgent]
    ) -> None:
        """Their machine is taken away soon: none of them gets another lease. What is at work may finish until
        the last moments, and begins elsewhere then."""
        for agent in agents:
            seen = serving.get(agent.pk)
            if agent.node not in self._nodes.interrupted or seen is None:
                continue
            if seen.state in ("idle", "leased") and not seen.drain:
                await self._leases.mark_interrupted(agent.pk)
                await self._leases.drain(agent.pk, EndReason.SPOT_INTERRUPTION)
            elif self._nodes.interrupted[agent.node]:
                self._remover.begin(agent, EndReason.SPOT_INTERRUPTION)

    async def _resume(self, pool: Pool, agents: list[Agent]) -> list[Agent]:
        """Goes on with intents of a controller before us, and with creations that the engine's absence broke
        off; those above the ceiling end. Returns the others of the `agents`."""
        if self._awaits_steering:
            return agents
        open_intents = [
            agent
            for agent in agents
            if AgentState(agent.state) in STARTING
            and not self._registry.is_outdated(agent)
            and agent.pk not in self._creator.tasks
            and agent.pk not in self._remover.tasks
        ]
        above = self._above_ceiling(pool, agents, open_intents)
        for agent in above:
            self._remover.begin(agent, self._why_fewer(pool))
        for under_way in (True, False):
            wanted = [
                agent
                for agent in open_intents
                if agent not in above and (AgentState(agent.state) is not AgentState.REQUESTED) is under_way
            ]
            if wanted:
                allowed = await self._creator.allowed(pool, len(wanted), under_way=under_way)
                for agent in wanted[:allowed]:
                    self._creator.begin(agent, pool)
        return [agent for agent in agents if agent not in above]

    def _above_ceiling(self, pool: Pool, agents: list[Agent], intents: list[Agent]) -> list[Agent]:
        """Of the intents, the latest first: what is ready is worth more than they are."""
        steering = self._steering(pool)
        if steering is None or steering.ceiling is None:
            return []
        staying = sum(AgentState(agent.state) is not AgentState.STOPPING for agent in agents)
        latest = sorted(intents, key=lambda agent: agent.started_at, reverse=True)
        return latest[: max(0, staying - steering.ceiling)]

    async def _create(self, pool: Pool, kinds: list[str], epoch: int, resting: int) -> None:
        allowed = await self._creator.allowed(pool, len(kinds))
        if allowed == 0:
            return
        made: list[Agent] = await in_database(
            rows.request,
            pool.pk,
            allowed,
            instance=self._instance,
            leader=self._leader,
            epoch=epoch,
            now=now(),
            resting=resting,
            kinds=kinds,
        )
        self._registry.add(made)
        for agent in made:
            self._creator.begin(agent, pool)

    async def _save_target(self, pool: Pool, target: int) -> None:
        if target == pool.target_size:
            return
        before, pool.target_size = pool.target_size, target
        # Someone may have set another target meanwhile: theirs counts.
        await in_database(
            lambda: Pool.objects.filter(pk=pool.pk, target_size=before, max_size__gte=target).update(
                target_size=target
            )
        )
        self._registry.version += 1

    async def _empty(self, pool: Pool, agents: list[Agent], serving: Mapping[UUID, ServingAgent]) -> None:
        """A drained pool: running leases finish, or are ended when the time for it is up."""
        await self._end(agents, serving, EndReason.SCALE_DOWN)
        if pool.drain_by is not None and now() >= pool.drain_by:
            for agent in agents:
                if agent.pk in serving:
                    self._remover.begin(agent, EndReason.SCALE_DOWN)

    async def _wind_up(self, pool: Pool, agents: list[Agent], serving: Mapping[UUID, ServingAgent]) -> None:
        """A deleted pool: running leases finish, everything else ends, the row goes last."""
        if not agents:
            if await self._leases.drop_pool(pool.pk):
                await in_database(lambda: Pool.objects.filter(pk=pool.pk).delete())
                self._registry.pools.pop(pool.pk, None)
                self._registry.version += 1
            return
        await self._end(agents, serving, EndReason.SCALE_DOWN)


def _is_at_work(seen: ServingAgent | None) -> bool:
    return seen is not None and seen.state == "leased"
