"""From an intent to an agent that serves: create, wait for /health, register.

Every stage may be repeated after a crash: rows say how far an agent has come, and runtimes create once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from uuid import UUID

from django.db import Error as DatabaseTrouble

from pools.domain.agents import AgentState, EndReason
from pools.domain.breaker import Breaker
from pools.domain.placement import Place, Recipe
from pools.domain.problems import Problem, ProblemKind, last_words
from pools.domain.settings import Network
from pools.domain.tokens import agent_token
from pools.leases.store import AsyncLeases
from pools.models import Agent, Pool
from pools.runtime.base import AgentSpec, EngineAway, Limits, NotInstalled, Runtime, RuntimeFault
from pools.runtime.contract import AgentHttp, bearer
from pools.services.broker.startup import COLD, StartupTimes
from pools.services.controller.crash_loops import CrashLoops
from pools.services.controller.nodes import Nodes
from pools.services.controller.problems import Problems
from pools.services.controller.registry import Registry, in_database, now
from teams.facade import api as teams

log = logging.getLogger(__name__)

AT_ONCE = 4  # an engine starts 6-7 containers a second however many ask
CREATION_TIMEOUT = 60.0
HEALTH_TIMEOUT = 1.0


class Unwanted(Exception):
    """The agent's pool has another image by now, or is gone."""


class Creator:
    """`secret` makes the agents' tokens; `control_url` is what agents are told of the control plane."""

    def __init__(
        self,
        registry: Registry,
        runtime: Runtime,
        leases: AsyncLeases,
        http: AgentHttp,
        nodes: Nodes,
        problems: Problems,
        loops: CrashLoops,
        *,
        secret: str,
        control_url: str,
        finished: Callable[[], None],
        ready_within: float = CREATION_TIMEOUT,
    ) -> None:
        self._registry = registry
        self._runtime = runtime
        self._leases = leases
        self._http = http
        self._nodes = nodes
        self._problems = problems
        self._loops = loops
        self._secret = secret
        self._control_url = control_url
        self._finished = finished
        self._ready_within = ready_within
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._startup = StartupTimes(leases, COLD)
        self.breakers: dict[Recipe, Breaker] = {}
        self._concurrency: dict[UUID, int] = {}  # what agents say of themselves
        self.tasks: dict[UUID, asyncio.Task[None]] = {}
        self.dead: dict[UUID, EndReason] = {}  # told by the engine's events while they were being made
        self.engine_away: str | None = None  # why, until the engine answers again; nothing is begun meanwhile

    def breaker(self, recipe: Recipe) -> Breaker:
        return self.breakers.setdefault(recipe, Breaker())

    async def allowed(self, pool: Pool, wanted: int, *, under_way: bool = False) -> int:
        """How many of `wanted` agents may be begun, or gone on with: those `under_way` were begun before, and
        no crash loop holds them up. A pool that gets none of them is told why, though it may have been
        another pool's agent that did not start."""
        if self.engine_away is not None:
            await self._problems.tell(
                pool.pk, pool.recipe, Problem(ProblemKind.ENGINE_AWAY, self.engine_away)
            )
            return 0
        breaker = self.breaker(pool.recipe)
        allowed = breaker.allowed(wanted, time.monotonic())
        if allowed == 0 and breaker.why is not None:
            await self._problems.tell(pool.pk, pool.recipe, Problem(ProblemKind.CREATION, breaker.why))
            return 0
        await self._loops.tell(pool)
        return allowed if under_way else self._loops.of(pool).allowed(allowed, time.monotonic())

    async def review(self, pool: Pool, place: Place) -> bool:
        """Whether some node is where the pool wants its agents: at this `place`.

        Tells that no node is where the pool wants its agents, whether it wants one now or not; takes that
        back, and that the engine is away, once it is not so. What is wrong with an image stays until an agent
        of it has started: it is the last that is known."""
        nowhere = self._nodes.refusal(place)
        if self.engine_away is not None:
            return nowhere is None
        if nowhere is not None:
            await self._problems.tell(pool.pk, pool.recipe, Problem(ProblemKind.PLACEMENT, nowhere))
        else:
            await self._problems.over(pool, ProblemKind.ENGINE_AWAY, ProblemKind.PLACEMENT)
        return nowhere is None

    def begin(self, agent: Agent, pool: Pool) -> None:
        """Starts (or resumes) making this agent in the background."""
        if agent.pk in self.tasks:
            return
        self.breaker(_recipe(agent, pool)).started()
        if AgentState(agent.state) is AgentState.REQUESTED:
            self._loops.of(pool).started(time.monotonic())
        task = asyncio.create_task(self._make(agent, pool))
        self.tasks[agent.pk] = task
        task.add_done_callback(lambda _: self._done(agent.pk))

    def _done(self, agent_id: UUID) -> None:
        task = self.tasks.pop(agent_id, None)
        self.dead.pop(agent_id, None)
        if task is not None and not task.cancelled() and (error := task.exception()) is not None:
            log.error("making agent %s broke off; the next reconcile goes on", agent_id, exc_info=error)
        self._finished()

    async def close(self) -> None:
        tasks = list(self.tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _make(self, agent: Agent, pool: Pool) -> None:
        """Whatever happens, the breaker hears of it first: what comes after may fail, too."""
        recipe = _recipe(agent, pool)
        breaker = self.breaker(recipe)
        try:
            served = await self._bring_up(agent, pool)
        except Unwanted:
            breaker.undecided()  # the next reconcile removes it
            return
        except EngineAway as exc:
            # Nothing is known about the agent: its row stays, and is taken up again.
            breaker.undecided()
            self.engine_away = str(exc)
            log.warning("pool %s waits for the engine: %s", pool.name, exc)
            await self._problems.tell(pool.pk, recipe, Problem(ProblemKind.ENGINE_AWAY, str(exc)))
            return
        except RuntimeFault as exc:
            if self.dead.get(agent.pk) in (EndReason.NODE_LOST, EndReason.SPOT_INTERRUPTION):
                breaker.undecided()  # nothing is wrong with the image
                await self._give_up(agent)
                return
            self._failed(recipe, pool, str(exc), lasting=isinstance(exc, NotInstalled))
            await self._give_up(agent)
            await self._problems.tell(pool.pk, recipe, Problem(ProblemKind.CREATION, str(exc)))
            return
        except DatabaseTrouble:
            breaker.failed(time.monotonic())  # says nothing of the image, but must not be tried at once
            raise
        except Exception as exc:
            sentence = f"An agent could not be made: {type(exc).__name__}: {exc}."
            self._failed(recipe, pool, sentence)
            await self._problems.tell(pool.pk, recipe, Problem(ProblemKind.CREATION, sentence))
            raise
        breaker.succeeded()
        await self._problems.starts(recipe)
        if served:
            await self.register(agent)
            await self._startup.flush()

    async def _bring_up(self, agent: Agent, pool: Pool) -> bool:
        """From whatever the row says to an agent in service; False when it is on its way out by now."""
        await self._loops.keep(pool)  # who takes over makes no other one at once
        started = await self._create(agent, pool)
        boot = await self._ready(agent)
        if not await self._registry.move(agent, AgentState.IDLE, boot=boot, ready_at=now()):
            return False
        self._startup.note(time.monotonic() - started)
        return True

    async def _create(self, agent: Agent, pool: Pool) -> float:
        """Returns when the engine was asked, on the monotonic clock."""
        if AgentState(agent.state) is AgentState.WARMING and agent.address:
            return time.monotonic()
        await self._registry.move(agent, AgentState.CREATING)
        if pool.requirements:
            # Installing them may take minutes, in which agents of other pools start.
            await self._image(agent, pool)
        # Not while it becomes ready: agents that never do would keep every other pool from starting.
        async with self._slots:
            spec = AgentSpec(
                agent_id=agent.pk,
                pool_id=pool.pk,
                pool_name=pool.name,
                image=await self._image(agent, pool),
                nonce=agent.nonce,
                epoch=agent.epoch,
                token=agent_token(self._secret, agent.pk, agent.nonce),
                control_url=self._control_url,
                env={**pool.env, **await self._secrets(pool)},
                limits=Limits(cpu=pool.cpu, memory=pool.memory, pids=pool.pids),
                egress=pool.network == Network.EGRESS,
                place=agent.place_in(pool),
            )
            started = time.monotonic()
            handle = await self._runtime.create(spec)
        moved = await self._registry.move(
            agent, AgentState.WARMING, address=handle.address, container=handle.ref, node=handle.node
        )
        if not moved:
            raise RuntimeFault("The agent ended while it was being made.")
        if not handle.running:
            raise RuntimeFault(await self._epitaph(agent, "An agent ended as soon as it was started"))
        return started

    async def _image(self, agent: Agent, pool: Pool) -> str:
        """It may have to be built first."""
        return await self._runtime.ensure_image(
            agent.image, commands=pool.commands, requirements=tuple(pool.requirements)
        )

    async def _secrets(self, pool: Pool) -> dict[str, str]:
        """Raises `RuntimeFault` when one of them is not there, or cannot be opened."""
        if not pool.secrets:
            return {}
        try:
            values: dict[str, str] = await in_database(teams.secret_values, pool.team_id, pool.secrets)
        except teams.SecretLost as exc:
            raise RuntimeFault(exc.detail) from exc
        missing = sorted(set(pool.secrets) - set(values))
        if missing:
            raise RuntimeFault(f"The team has no secret {missing[0]}, which the pool's agents are to get.")
        return values

    async def _ready(self, agent: Agent) -> str:
        """Waits for /health; returns the boot id. Raises `Unwanted`, and `RuntimeFault` with the agent's last
        words."""
        headers = bearer(agent_token(self._secret, agent.pk, agent.nonce))
        deadline = time.monotonic() + self._ready_within
        pause = 0.01
        while time.monotonic() < deadline:
            if agent.pk in self.dead or AgentState(agent.state) is not AgentState.WARMING:
                raise RuntimeFault(await self._epitaph(agent, "An agent ended before it was ready"))
            if self._registry.is_unwanted(agent):
                raise Unwanted
            health = await self._http.health(agent.address, headers, within=HEALTH_TIMEOUT)
            if health.ok:
                self._concurrency[agent.pk] = health.concurrency
                return health.boot
            await asyncio.sleep(pause)
            pause = min(0.2, pause * 1.5)
        sentence = f"An agent did not answer GET /health on its port within {self._ready_within:g} s"
        raise RuntimeFault(await self._epitaph(agent, sentence))

    async def _epitaph(self, agent: Agent, sentence: str) -> str:
        try:
            words = last_words(await self._runtime.logs(agent.pk, tail=20), longest=200)
        except RuntimeFault:
            words = ""
        return f"{sentence}. It last wrote: {words}" if words else f"{sentence}."

    async def register(self, agent: Agent) -> None:
        """Into service, unless its pool makes other agents by now: its steps would meet the old one."""
        assert agent.pool_id is not None  # only a pool's agents are made
        rows = Pool.objects.filter(pk=agent.pool_id, deleted_at__isnull=True)
        pool: Pool | None = await in_database(rows.first)
        if pool is None or pool.template != agent.template:
            return  # the next reconcile removes it
        last_used = int(agent.last_used.timestamp() * 1000) if agent.last_used else 0
        await self._leases.register(
            agent.pool_id,
            agent.pk,
            agent.address,
            boot=agent.boot,
            nonce=agent.nonce,
            uses=agent.uses,
            last_used_ms=last_used,
            slots=max(1, min(pool.concurrency, self._concurrency.pop(agent.pk, 1))),
            age=max(0.0, (now() - agent.started_at).total_seconds()),
        )

    async def _give_up(self, agent: Agent) -> None:
        reason = self.dead.get(agent.pk, EndReason.ERRORS)
        if not await self._registry.move(agent, AgentState.STOPPING, reason):
            return
        try:
            await self._runtime.remove(agent.pk)
        except RuntimeFault as exc:
            log.warning("a failed agent was not removed yet: %s", exc)
            return  # the reconcile tries again
        await self._registry.move(agent, AgentState.GONE, reason)

    def _failed(self, recipe: Recipe, pool: Pool, sentence: str, *, lasting: bool = False) -> None:
        pause = self.breaker(recipe).failed(time.monotonic(), sentence, lasting=lasting)
        log.warning("pool %s: %s Next attempt in %.0f s.", pool.name, sentence, pause)


def _recipe(agent: Agent, pool: Pool) -> Recipe:
    """The image is the agent's own: its pool may have another by now."""
    return pool.recipe_of(agent.image, agent.place_in(pool))
