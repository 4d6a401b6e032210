"""The only door to pools: what requests, executors and the controller's command may ask of them.

Duties: pools and agents (blocking functions, for requests and services), `Broker` (for executors),
`run_controller` and `shutdown_all` (for the controller's process).
Does not: know workflows, decide sizes over time, or hand out rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import redis
from asgiref.sync import async_to_sync
from django.conf import settings

from aflow_site.kernel.errors import FlowError, NotFound
from aflow_site.kernel.waits import set_within
from pools.domain.names import name_for_image, name_for_requirements
from pools.domain.nodes import NodeAction
from pools.domain.saturation import SaturationRule
from pools.facade import site
from pools.facade.agents import loops_beside
from pools.facade.contracts import (
    AgentKind,
    AgentView,
    Lived,
    NodeView,
    PoolLoad,
    PoolSpec,
    PoolView,
)
from pools.facade.nodes import group_loop
from pools.leases.store import Leases
from pools.metrics.pools import PoolCollector
from pools.models import Agent, Node
from pools.runtime.base import BUILT_IN_IMAGE, Runtime, RuntimeFault
from pools.selectors import pools as selectors
from pools.selectors import prices
from pools.selectors.nodes import node_views
from pools.selectors.usage import advice_shape
from pools.services import nodes as node_services
from pools.services import pools as services
from pools.services import usage
from pools.services.agents import NotLeading
from pools.services.broker.broker import Broker as _Broker
from pools.services.controller.controller import PoolController as _PoolController
from pools.services.controller.leadership import Silence
from pools.services.shutdown import remove_everything

log = logging.getLogger(__name__)

__all__ = [
    "BUILT_IN_IMAGE",
    "Broker",
    "PoolController",
    "act_on_node",
    "advice",
    "apply_advice",
    "check_pool",
    "check_unused",
    "create_pool",
    "default_pool_name",
    "delete_pool",
    "drain_pool",
    "ensure_default_pool",
    "ensure_pool",
    "ensure_shared_pool",
    "get_agent",
    "get_node",
    "get_pool",
    "lease_store",
    "list_agents",
    "list_nodes",
    "list_pools",
    "lived",
    "load",
    "metrics_collector",
    "note_uses",
    "place_in_queue",
    "prepare_runtime",
    "recycle_pool",
    "resize_pool",
    "resume_pool",
    "run_controller",
    "runtime_problem",
    "set_target",
    "shared_spec",
    "shutdown_all",
    "start_times",
    "update_pool",
    "warm_pool",
]

DEFAULT_POOL = "python"


def lease_store() -> Leases:
    return Leases(site.redis_client(), site.key_prefix())


# --- pools, for requests and services -------------------------------------------------------------------


def default_pool_name(kind: AgentKind) -> str:
    """The team's shared pool of such agents: `python` for the built-in one, else made of the image's name,
    one for each image, and one for commands in it; one for each list of requirements."""
    if kind.requirements:
        return name_for_requirements(kind.requirements)
    if kind.image is None or kind.image == BUILT_IN_IMAGE:
        return DEFAULT_POOL
    return name_for_image(kind.image, commands=kind.commands)


def ensure_default_pool(team_id: int) -> PoolView:
    """The team's shared pool of the built-in Python agent; made at the first call, left alone afterwards."""
    existing = selectors.of_team(team_id).filter(name=DEFAULT_POOL).first()
    if existing is not None:
        return _view(existing)
    return ensure_pool(team_id, PoolSpec(name=DEFAULT_POOL, min_size=2, max_size=10, idle_timeout=300.0))


def ensure_shared_pool(team_id: int, kind: AgentKind) -> PoolView:
    """The team's shared pool of such agents; made at the first call, left alone afterwards."""
    name = default_pool_name(kind)
    if name == DEFAULT_POOL:
        return ensure_default_pool(team_id)
    existing = selectors.of_team(team_id).filter(name=name).first()
    if existing is not None:
        return _view(existing)
    # No warm-up: that somebody drew a step with this image does not mean that it will run.
    return ensure_pool(team_id, shared_spec(kind))


def shared_spec(kind: AgentKind) -> PoolSpec:
    """What `ensure_shared_pool` asks for, of agents that are not the plain built-in ones."""
    return PoolSpec(
        default_pool_name(kind),
        image=kind.image,
        commands=kind.commands,
        requirements=kind.requirements,
        min_size=0,
        warm_up=False,
    )


def ensure_pool(team_id: int, spec: PoolSpec, *, workflow: str | None = None) -> PoolView:
    """Makes the pool or brings it to what `spec` sets. Raises `InvalidInput` with every fault."""
    return _view(services.ensure(team_id, spec, lease_store(), workflow=workflow))


def check_pool(team_id: int, spec: PoolSpec, *, workflow: str | None = None) -> None:
    """Raises what `ensure_pool` would raise, and changes nothing."""
    services.check(team_id, spec, workflow=workflow)


def create_pool(team_id: int, spec: PoolSpec) -> PoolView:
    """Raises `Conflict` when the name is taken, `InvalidInput`."""
    return _view(services.create(team_id, spec, lease_store()))


def update_pool(team_id: int, name: str, changes: Mapping[str, Any]) -> PoolView:
    """`changes`: any of image, preset and the settings of a pool. Raises `PoolNotFound`, `InvalidInput`."""
    return _view(services.update(team_id, name, changes, lease_store()))


def resize_pool(team_id: int, name: str, min_size: int, max_size: int) -> PoolView:
    return update_pool(team_id, name, {"min_size": min_size, "max_size": max_size})


def drain_pool(team_id: int, name: str, within: float | None = None) -> PoolView:
    """No new leases until it is resumed; those that are left after `within` seconds are ended."""
    return _view(services.drain(team_id, name, within, lease_store()))


def resume_pool(team_id: int, name: str) -> PoolView:
    return _view(services.resume(team_id, name, lease_store()))


def recycle_pool(team_id: int, name: str) -> PoolView:
    """Every agent is replaced: idle ones now, leased ones after their lease."""
    return _view(services.recycle(team_id, name, lease_store()))


def warm_pool(team_id: int, name: str, size: int) -> PoolView:
    """So many agents are started now, within the pool's limits; the idle time-out ends them again."""
    services.set_target(services.find(team_id, name).pk, size, lease_store())
    return get_pool(team_id, name)


def advice(team_id: int, name: str) -> dict[str, Any]:
    """What the pool's agents really need of CPU and memory (`selectors.usage`). Raises `PoolNotFound`."""
    return advice_shape(services.find(team_id, name))


def apply_advice(team_id: int, name: str) -> PoolView:
    """Raises `PoolNotFound`, and `Conflict` when there is nothing to change."""
    return _view(usage.apply_advice(team_id, name, lease_store()))


def note_uses(team_id: int, workflow: str, names: Iterable[str]) -> None:
    """Which pools a workflow counts on, from now on; they are not deleted by the way. Empty: it is gone."""
    services.note_uses(team_id, workflow, names)


def check_unused(team_id: int, name: str) -> None:
    """Raises `Conflict` while a workflow counts on the pool, `PoolNotFound`."""
    services.check_unused(team_id, name)


def delete_pool(team_id: int, name: str) -> None:
    """No new leases; running ones finish; the agents end. Raises `PoolNotFound`."""
    services.delete(team_id, name, lease_store())


def get_pool(team_id: int, name: str) -> PoolView:
    """The team's own pool of that name, else one that is shared with it. Raises `PoolNotFound`."""
    return _view(services.find(team_id, name, selectors.usable_by(team_id)))


def list_pools(team_id: int) -> list[PoolView]:
    """Its own, and those that other teams share with it."""
    return selectors.views(selectors.usable_by(team_id), lease_store())


def list_agents(team_id: int, pool: str | None = None, include_terminated: bool = False) -> list[AgentView]:
    """The newest first; of those that ended, the last 500."""
    rows = selectors.agents_of_team(team_id, pool, include_terminated=include_terminated)
    return selectors.agent_views(rows[:500] if include_terminated else rows, lease_store())


def get_agent(team_id: int, agent_id: UUID) -> AgentView:
    row = Agent.objects.filter(team_id=team_id, pk=agent_id).first()
    if row is None:
        raise NotFound(f"There is no agent {agent_id} in this team.")
    return selectors.agent_views([row], lease_store())[0]


def list_nodes() -> list[NodeView]:
    """The machines that carry the agents of all teams, by name."""
    return node_views(Node.objects.all())


def get_node(name: str) -> NodeView:
    """Raises `NotFound`."""
    return node_views([node_services.find(name)])[0]


def act_on_node(team_id: int, name: str, action: NodeAction, *, author: str) -> NodeView:
    """Cordons, opens or drains it, on the engine. The team is the one in whose log it is written.

    Raises `NotFound`, `Conflict` where it cannot be done, `EngineTrouble`.
    """
    node = node_services.act(name, action, site.runtime(), team_id=team_id, author=author)
    with contextlib.suppress(redis.RedisError):  # the controller's timer will do
        lease_store().nudge(name)
    return node_views([node])[0]


def place_in_queue(pool_id: UUID, holders: str) -> int | None:
    """The place (from 1) in the pool's queue of the first holder that begins with `holders`.

    None when none of them waits, or Redis does not say.
    """
    with contextlib.suppress(redis.RedisError):
        return lease_store().place(pool_id, holders)
    return None


def load() -> list[PoolLoad]:
    """The signals from which sizes are decided, of every pool. Raises `ConnectionError` without Redis."""
    try:
        return selectors.loads(lease_store())
    except redis.RedisError as exc:
        raise ConnectionError(str(exc)) from exc


def start_times(pool_ids: Iterable[UUID]) -> dict[UUID, float]:
    """What agents lately took to serve, the 95th percentile in seconds; pools without any are left out."""
    return selectors.start_times(pool_ids)


def lived(since: datetime, until: datetime) -> list[Lived]:
    """Which agents were there after `since`, each from when to when, and at what price."""
    return prices.lived(since, until)


def set_target(pool_id: UUID, size: int) -> int:
    """The size wanted now, clamped to the pool's limits. Agents above it leave when idle."""
    return services.set_target(pool_id, size, lease_store())


def metrics_collector() -> PoolCollector:
    """For a Prometheus registry; reads Redis and the database at each scrape."""
    return PoolCollector(lease_store())


def runtime_problem() -> str | None:
    """Why agents cannot run on this machine, in one sentence, or None."""
    return async_to_sync(_ask_runtime)()


def prepare_runtime(report: Callable[[str], None] | None = None) -> str:
    """Builds what agents need on this machine (the image), and says in a few words what is there.

    Raises `FlowError` with a sentence on how to mend it. `report` is told of progress.
    """
    return async_to_sync(_prepare)(report or (lambda _text: None))


async def _prepare(report: Callable[[str], None]) -> str:
    runtime = site.runtime()
    try:
        await runtime.start()
        report(f"the {runtime.name} runtime answers; looking for the agents' image")
        return await runtime.ensure_image(BUILT_IN_IMAGE)
    except RuntimeFault as exc:
        raise RuntimeUnusable(str(exc)) from exc
    finally:
        await runtime.close()


class RuntimeUnusable(FlowError):
    code = "runtime"
    status = 503
    title = "Agents cannot run here"


async def _ask_runtime() -> str | None:
    runtime = site.runtime()
    try:
        async with asyncio.timeout(3):
            await runtime.start()
        async with asyncio.timeout(3):
            await runtime.ping()
    except TimeoutError:
        return f"The runtime {runtime.name} did not answer within 3 seconds."
    except RuntimeFault as exc:
        return str(exc)
    finally:
        await runtime.close()
    return None


def _view(pool: Any) -> PoolView:
    return selectors.views([pool], lease_store())[0]


# --- executors --------------------------------------------------------------------------------------------


class Broker(_Broker):
    """Leases, requests and heartbeats of one executor process, by this site's settings."""

    def __init__(self, **options: Any) -> None:
        super().__init__(settings.REDIS_URL, site.key_prefix(), settings.SECRET_KEY, **options)


# --- the controller's process -----------------------------------------------------------------------------


class PoolController(_PoolController):
    """By this site's settings; tests pass a runtime of their own."""

    def __init__(self, runtime: Runtime | None = None, **options: Any) -> None:
        super().__init__(
            runtime or site.runtime(),
            redis_url=settings.REDIS_URL,
            prefix=site.key_prefix(),
            instance=settings.AFLOW_INSTANCE,
            secret=settings.SECRET_KEY,
            control_url=settings.AFLOW_URL,
            saturation=SaturationRule(settings.AFLOW_ALERT_WAITING, settings.AFLOW_ALERT_SECONDS),
            **options,
        )


STEERED_WITHIN = 30.0  # seconds; pools must have agents though the scaler is broken
Beside = Callable[[PoolController], Mapping[str, Callable[[], Awaitable[None]]]]


async def run_controller(stop: asyncio.Event, beside: Beside | None = None) -> None:
    """Leads whenever it can, until `stop` is set. Trouble is logged and outlived, never raised.

    `beside` names loops that run while this controller leads, and are given it: the scaler is one.
    """
    silence = Silence()
    while not stop.is_set():
        runtime = site.runtime()
        controller = PoolController(runtime, silence=silence)
        controller.beside = {
            **loops_beside(runtime, controller.leads),
            **group_loop(controller, runtime),
            **(beside(controller) if beside else {}),
        }
        controller.steered_within = STEERED_WITHIN if beside else 0.0
        try:
            await controller.start()
            log.info("this controller leads the pools")
            await controller.run_forever(stop)
        except NotLeading:
            log.info("another controller leads the pools")
        except (ConnectionError, RuntimeFault) as exc:
            log.warning("pools wait: %s", exc)
        except Exception:  # a fault of ours must not end the process that holds the other duties
            log.exception("the pools' controller starts anew")
        finally:
            await controller.close()
        await set_within(stop, 1.0)


async def shutdown_all() -> int:
    """Removes every agent of this installation; returns how many. For the end of the platform."""
    return await remove_everything(site.runtime())
