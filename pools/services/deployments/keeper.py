"""Keeps deployed agents as people want them: looks at rows and containers, and takes one step for each.

Right on events alone and on the timer alone, as the pools' controller, beside which it runs and under whose
lead it acts. Containers are asked outside transactions; a step that breaks off is decided anew.
Does not: write wishes, or deliver requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from uuid import UUID

from django.db import Error as DatabaseTrouble

from aflow_site.kernel.waits import set_within
from pools.domain.deployment_forms import host_is_allowed
from pools.domain.deployments import (
    HEALTHY_FOR,
    DeployedState,
    Desired,
    Health,
    Reality,
    Situation,
    Step,
    next_step,
)
from pools.domain.problems import last_words
from pools.domain.settings import Network
from pools.domain.tokens import agent_token
from pools.models import DeployedAgent
from pools.runtime.base import EngineAway, Runtime, RuntimeFault
from pools.runtime.contract import AgentHttp, bearer
from pools.runtime.deployed import (
    DeployedAgents,
    DeployedHandle,
    DeploySpec,
    NotCapable,
    VolumeSpec,
    deployed_agents_of,
)
from pools.services.controller.registry import in_database, now
from pools.services.deployments import rows
from pools.services.deployments.watching import Watch
from pools.services.loops import for_ever
from teams.facade import api as teams

log = logging.getLogger(__name__)

EVERY = 2.0  # seconds between two looks when nothing happens
NOT_FASTER_THAN = 0.02
AT_ONCE = 8
GRACE = 10.0  # seconds that an agent has to finish
LIST_TIMEOUT = 10.0
Secrets = Callable[[int, set[str]], Mapping[str, str]]  # of a team: those of these names that there are


class Keeper:
    """`leads` tells whether this process may act; `well` is called whenever an agent can take requests."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        secret: str,
        leads: Callable[[], Awaitable[bool]],
        secrets: Secrets,
        well: Callable[[], None],
        control_url: str = "",
        volume_directories: Sequence[str] = (),
        healthy_for: float = HEALTHY_FOR,
    ) -> None:
        self._runtime = runtime
        self._secret = secret
        self._leads = leads
        self._secrets = secrets
        self._well = well
        self._control_url = control_url
        self._volume_directories = volume_directories
        self._healthy_for = healthy_for
        self._woken = asyncio.Event()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._http = AgentHttp()
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._watches: dict[UUID, asyncio.Task[None]] = {}
        self._words: dict[UUID, str] = {}  # why we ended an agent ourselves

    def wake(self) -> None:
        self._woken.set()

    @property
    def _agents(self) -> DeployedAgents:
        return deployed_agents_of(self._runtime)

    async def run(self) -> None:
        """Until it is cancelled; agents live on."""
        events = asyncio.create_task(for_ever(self._follow, "deployed agents' events"))
        try:
            async with self._http:
                while True:
                    await asyncio.sleep(NOT_FASTER_THAN)
                    self._woken.clear()
                    pause = await self._careful_tick()
                    await set_within(self._woken, pause)
        finally:
            tasks = [events, *self._tasks.values(), *self._watches.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._watches.clear()

    async def _follow(self) -> None:
        try:
            async for _ in self._agents.events():
                self.wake()
        except NotCapable:
            await asyncio.Event().wait()  # there will never be any
        except RuntimeFault as exc:
            log.info("deployed agents' events broke off: %s", exc)

    async def _careful_tick(self) -> float:
        try:
            return await self.tick()
        except RuntimeFault as exc:
            log.warning("deployed agents are not looked after: %s", exc)
        except DatabaseTrouble as exc:
            log.warning("deployed agents wait for the database: %s", exc)
        return EVERY

    async def tick(self) -> float:
        """One look at everyone; returns in how many seconds the next one is due. Raises `RuntimeFault`."""
        if not await self._leads():
            return EVERY
        agents: list[DeployedAgent] = await in_database(rows.everyone)
        handles = await self._handles(agents)
        moment, pause = now(), EVERY
        for agent in agents:
            if agent.pk in self._tasks:
                continue
            handle = handles.get(agent.pk)
            step = next_step(moment, _situation(agent, handle))
            if step is Step.WAIT and agent.start_at is not None:
                pause = min(pause, max(0.05, (agent.start_at - moment).total_seconds()))
            if step in (Step.NOTHING, Step.WAIT):
                self._watch(agent, handle)
                if agent.problem and agent.health == Health.OK.value:
                    await in_database(rows.mended, agent.pk)
            else:
                self._begin(agent, handle, step)
        await self._end_orphans(set(handles) - {agent.pk for agent in agents})
        return pause

    async def _handles(self, agents: Sequence[DeployedAgent]) -> dict[UUID, DeployedHandle]:
        try:
            async with asyncio.timeout(LIST_TIMEOUT):
                return {handle.agent_id: handle for handle in await self._agents.list_deployed()}
        except NotCapable as exc:
            await self._tell_all(agents, str(exc))
            return {}
        except (RuntimeFault, TimeoutError) as exc:
            sentence = str(exc) or f"The runtime did not list its agents within {LIST_TIMEOUT:g} s."
            await self._tell_all(agents, sentence)
            raise EngineAway(sentence) from exc

    async def _tell_all(self, agents: Sequence[DeployedAgent], sentence: str) -> None:
        for agent in agents:
            if agent.desired == Desired.RUNNING.value and agent.problem != sentence:
                await in_database(rows.troubled, agent.pk, sentence)

    async def _end_orphans(self, orphans: set[UUID]) -> None:
        """Containers without a row: their agent was removed with its team, say."""
        for agent_id in orphans - set(self._tasks):
            if await self._leads():
                log.info("ending the orphan %s", agent_id)
                await self._agents.remove(agent_id)

    # --- health ---------------------------------------------------------------------------------------

    def _watch(self, agent: DeployedAgent, handle: DeployedHandle | None) -> None:
        runs = handle is not None and handle.reality is Reality.RUNNING
        if not runs:
            self._unwatch(agent.pk)
        elif handle is not None and agent.pk not in self._watches:
            watch = Watch(
                agent=agent,
                address=handle.address,
                headers=bearer(self._token(agent)),
                http=self._http,
                well=self._well,
                unwell=partial(self._unwell, agent),
                healthy_for=self._healthy_for,
            )
            task = asyncio.create_task(for_ever(watch.run, f"the health of {agent.name}"))
            self._watches[agent.pk] = task

    def _unwatch(self, agent_id: UUID) -> None:
        task = self._watches.pop(agent_id, None)
        if task is not None:
            task.cancel()

    async def _unwell(self, agent: DeployedAgent, sentence: str) -> None:
        """Ends it, when that is to mend it: it is then started again as one that died."""
        if agent.auto_restart:
            log.warning("deployed agent %s is ended: %s", agent.name, sentence)
            self._words[agent.pk] = sentence
            with contextlib.suppress(RuntimeFault):
                await self._agents.stop(agent.pk, grace=GRACE)
            self.wake()

    # --- steps ----------------------------------------------------------------------------------------

    def _begin(self, agent: DeployedAgent, handle: DeployedHandle | None, step: Step) -> None:
        self._unwatch(agent.pk)
        task = asyncio.create_task(self._take(agent, handle, step))
        self._tasks[agent.pk] = task
        task.add_done_callback(lambda _: self._done(agent.pk))

    def _done(self, agent_id: UUID) -> None:
        task = self._tasks.pop(agent_id)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a step of deployed agent %s broke off; it is decided anew", agent_id, exc_info=error)
        elif not task.cancelled():
            self.wake()

    async def _take(self, agent: DeployedAgent, handle: DeployedHandle | None, step: Step) -> None:
        restart = agent.restart_asked if agent.restart_asked != agent.restart_done else None
        try:
            async with self._slots:
                await self._act(agent, handle, step, restart)
        except EngineAway as exc:
            await in_database(rows.troubled, agent.pk, str(exc))
            await asyncio.sleep(EVERY)
        except RuntimeFault as exc:
            log.warning("deployed agent %s, to %s: %s", agent.name, step.value, exc)
            if step in (Step.START, Step.RESTART):
                await in_database(rows.not_started, agent, str(exc), now(), restart)
            else:
                await in_database(rows.troubled, agent.pk, str(exc))
                await asyncio.sleep(EVERY)

    async def _act(
        self, agent: DeployedAgent, handle: DeployedHandle | None, step: Step, restart: int | None
    ) -> None:
        match step:
            case Step.START:
                await self._start(agent, restart)
            case Step.RESTART:
                await self._agents.stop(agent.pk, grace=GRACE)
                await self._start(agent, restart)
            case Step.STOP:
                await self._agents.stop(agent.pk, grace=GRACE)
                await in_database(rows.noted, agent.pk, DeployedState.STOPPED, None, restart)
            case Step.PAUSE:
                await self._agents.pause(agent.pk)
                await in_database(rows.noted, agent.pk, DeployedState.PAUSED, handle, None)
            case Step.UNPAUSE:
                await self._agents.unpause(agent.pk)
                await in_database(rows.noted, agent.pk, DeployedState.RUNNING, handle, None)
            case Step.REPLACE:
                await self._agents.remove(agent.pk, grace=GRACE)
                await in_database(rows.replaced, agent.pk)
            case Step.REMOVE:
                await self._remove(agent)
            case Step.NOTE:
                await in_database(rows.noted, agent.pk, _seen(agent, handle), handle, restart)
            case Step.MOURN:
                await self._mourn(agent, handle)

    async def _start(self, agent: DeployedAgent, restart: int | None) -> None:
        spec = await self._spec(agent)
        handle = await self._agents.start(spec)
        by_itself = restart is None and agent.state == DeployedState.FAILED.value and bool(agent.started_at)
        await in_database(rows.started, agent.pk, handle, now(), restart, by_itself=by_itself)

    async def _remove(self, agent: DeployedAgent) -> None:
        await self._agents.remove(agent.pk, grace=GRACE)
        if agent.remove_volumes:
            for volume in agent.volumes:
                if volume.get("name"):
                    await self._agents.remove_volume(agent.team_id, volume["name"])
        await in_database(rows.gone, agent.pk)

    async def _mourn(self, agent: DeployedAgent, handle: DeployedHandle | None) -> None:
        words = self._words.pop(agent.pk, "")
        if not words:
            with contextlib.suppress(RuntimeFault):
                last = last_words(await self._agents.logs(agent.pk, tail=5), longest=200)
                words = f"It last wrote: {last}" if last else ""
        after = await in_database(rows.mourned, agent, handle, words, now())
        log.warning("deployed agent %s ended and is %s. %s", agent.name, after.value, words)

    def _token(self, agent: DeployedAgent) -> str:
        return agent_token(self._secret, agent.pk, agent.nonce)

    async def _spec(self, agent: DeployedAgent) -> DeploySpec:
        """With the values of secrets as they are now. Raises `RuntimeFault`."""
        return DeploySpec(
            agent_id=agent.pk,
            team_id=agent.team_id,
            name=agent.name,
            image=await self._runtime.ensure_image(agent.image),
            generation=agent.generation,
            token=self._token(agent),
            port=agent.port,
            cpu=agent.cpu,
            memory=agent.memory,
            egress=agent.network == Network.EGRESS,
            volumes=tuple(self._volume(volume) for volume in agent.volumes),
            env=await self._env(agent),
            control_url=self._control_url,
        )

    def _volume(self, volume: dict[str, object]) -> VolumeSpec:
        spec = VolumeSpec(**volume)  # type: ignore[arg-type]
        # Where it leads now counts: a link may have been put there since it was deployed.
        if spec.host is not None and not host_is_allowed(
            os.path.realpath(spec.host), self._volume_directories
        ):
            raise RuntimeFault(
                f"The directory {spec.host} may not be used (setting AFLOW_VOLUME_DIRS); name another volume."
            )
        return spec

    async def _env(self, agent: DeployedAgent) -> dict[str, str]:
        """Raises `RuntimeFault` when a secret is not there, or cannot be opened."""
        wanted = {name: value["secret"] for name, value in agent.env.items() if isinstance(value, dict)}
        try:
            known = await in_database(self._secrets, agent.team_id, set(wanted.values())) if wanted else {}
        except teams.SecretLost as exc:
            raise RuntimeFault(exc.detail) from exc
        missing = sorted(set(wanted.values()) - set(known))
        if missing:
            raise RuntimeFault(
                f"The team has no secret named {', '.join(missing)}; add it, then start the agent."
            )
        plain = {name: value for name, value in agent.env.items() if isinstance(value, str)}
        return {**plain, **{name: known[secret] for name, secret in wanted.items()}}


def _situation(agent: DeployedAgent, handle: DeployedHandle | None) -> Situation:
    return Situation(
        desired=Desired(agent.desired),
        state=DeployedState(agent.state),
        reality=handle.reality if handle is not None else Reality.ABSENT,
        current=handle is None or handle.generation == agent.generation,
        restart_asked=agent.restart_asked != agent.restart_done,
        auto_restart=agent.auto_restart,
        start_at=agent.start_at,
    )


def _seen(agent: DeployedAgent, handle: DeployedHandle | None) -> DeployedState:
    """The state of an agent whose row is behind."""
    if handle is None or handle.reality in (Reality.ENDED, Reality.MADE, Reality.ABSENT):
        return DeployedState.STOPPED
    return DeployedState.PAUSED if handle.reality is Reality.PAUSED else DeployedState.RUNNING
