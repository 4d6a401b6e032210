"""The door to nodes' groups, notices and money.

Duties: node groups (for the platform's staff), what rented machines say of themselves, what nodes cost and
save; the loop that the controller runs for them.
Does not: list, cordon or drain nodes (`facade.api` does), or hand out rows.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import redis
from asgiref.sync import async_to_sync
from django.conf import settings
from django.db.models import QuerySet

from aflow_site.kernel.errors import Conflict, FlowError
from pools.domain.interruptions import read_notice
from pools.facade import site
from pools.facade.contracts import NodeView
from pools.facade.node_contracts import GroupView, NodeCosts
from pools.leases.store import Leases
from pools.models import NodeGroupDecision
from pools.providers.base import NodeProvider, ProviderFault
from pools.runtime.base import Capability, Invitation, Runtime, RuntimeFault
from pools.selectors import node_groups as selectors
from pools.selectors.nodes import costs, node_views
from pools.services import machines as machine_rows
from pools.services import node_groups as services
from pools.services import nodes as node_services
from pools.services.controller.controller import PoolController
from pools.services.controller.groups import NodeGroups

log = logging.getLogger(__name__)


class ProviderTrouble(FlowError):
    code = "provider"
    status = 503
    title = "The node provider cannot be used"


def _nudge(what: str) -> None:
    with contextlib.suppress(redis.RedisError):  # the controller's timer will do
        Leases(site.redis_client(), site.key_prefix()).nudge(what)


# --- notices ------------------------------------------------------------------------------------------


def interrupt_node(team_id: int, name: str, notice: Mapping[str, Any], *, author: str) -> NodeView:
    """Its cloud takes the machine away: agents leave until then, and what is at work last begins elsewhere.
    The team is the one in whose log it is written.

    Raises `NotFound`, `InvalidInput`, `Conflict` where it cannot be done, `EngineTrouble`.
    """
    leave_by = read_notice(notice, datetime.now(UTC))
    node = node_services.interrupt(name, leave_by, site.runtime(), told_by=(team_id, author))
    _nudge(name)
    return node_views([node])[0]


def machine_notice(token: str, notice: Mapping[str, Any]) -> datetime:
    """What a rented machine tells of itself; when it goes. Raises `NotAuthenticated`, `InvalidInput`,
    `EngineTrouble`."""
    machine = machine_rows.by_token(token, settings.SECRET_KEY)
    leave_by = read_notice(notice, datetime.now(UTC))
    machine_rows.note_notice(machine, leave_by)
    name = node_services.name_of(machine.node_ref)
    if name is not None:
        node_services.interrupt(name, leave_by, site.runtime())
        _nudge(name)
    return leave_by


# --- machines that join --------------------------------------------------------------------------------


def known_machine(token: str) -> None:
    """Raises `NotAuthenticated`."""
    machine_rows.by_token(token, settings.SECRET_KEY)


def invitation(token: str) -> Invitation:
    """For a rented machine that has not joined. Raises `NotAuthenticated`, `Conflict`, `EngineTrouble`."""
    machine_rows.may_join(machine_rows.by_token(token, settings.SECRET_KEY))
    return async_to_sync(_invite)(site.runtime())


async def _invite(runtime: Runtime) -> Invitation:
    try:
        await runtime.start()
        return await runtime.invite()
    except RuntimeFault as exc:
        raise node_services.EngineTrouble(str(exc)) from exc
    finally:
        await runtime.close()


def machine_joined(token: str, node_ref: str) -> None:
    """Raises `NotAuthenticated`, `Conflict`."""
    machine_rows.joined(machine_rows.by_token(token, settings.SECRET_KEY), node_ref)


# --- groups ---------------------------------------------------------------------------------------------


def list_groups() -> list[GroupView]:
    """By name."""
    return selectors.group_views(selectors.present())


def get_group(name: str) -> GroupView:
    """Raises `NotFound`."""
    return selectors.group_views([services.find(name)])[0]


def create_group(team_id: int, data: Mapping[str, Any], *, author: str) -> GroupView:
    """Raises `Conflict`, `InvalidInput`, `ProviderTrouble`."""
    provider = _provider()
    if (why := _no_groups_for(provider)) is not None:
        raise Conflict(why)
    row = services.create(data, provider, team_id=team_id, author=author)
    return selectors.group_views([row])[0]


def no_groups() -> str | None:
    """Why no group can be made in this installation, in a sentence, or None."""
    try:
        return _no_groups_for(site.provider())
    except ProviderFault as exc:
        return str(exc)


def _no_groups_for(provider: NodeProvider | None) -> str | None:
    if Capability.GROWS not in site.runtime().can:
        return "Machines join a swarm alone: set AFLOW_RUNTIME=swarm, and start the platform again."
    if provider is None:
        return services.NO_PROVIDER
    if _is_here_alone(settings.AFLOW_URL):
        return (
            f"AFLOW_URL is {settings.AFLOW_URL}, which leads other machines to themselves: set it to where "
            "they reach this platform, and start it again."
        )
    return None


def change_group(team_id: int, name: str, data: Mapping[str, Any], *, author: str) -> GroupView:
    """Raises `NotFound`, `InvalidInput`, `ProviderTrouble`."""
    row = services.change(name, data, _provider(), team_id=team_id, author=author)
    return selectors.group_views([row])[0]


def delete_group(team_id: int, name: str, *, author: str) -> None:
    """Its machines leave, and go when they are empty. Raises `NotFound`."""
    services.delete(name, team_id=team_id, author=author)


def group_decisions(name: str) -> QuerySet[NodeGroupDecision]:
    """For a paginator, the newest first: rows are turned by `decision_payload`. Raises `NotFound`."""
    return services.find(name).decisions.all()


def _is_here_alone(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    with contextlib.suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


def provider_problem() -> str | None:
    """Why no machines can be rented, in a sentence, or None."""
    try:
        provider = site.provider()
        if provider is not None:
            provider.machines()
    except ProviderFault as exc:
        return str(exc)
    return None


def _provider() -> NodeProvider | None:
    try:
        return site.provider()
    except ProviderFault as exc:
        raise ProviderTrouble(str(exc)) from exc


# --- money ------------------------------------------------------------------------------------------------


def node_costs() -> NodeCosts:
    """What nodes cost now, what of that is idle, and what spot capacity saves."""
    return costs(settings.AFLOW_CURRENCY)


# --- the controller's process -------------------------------------------------------------------------------


def group_loop(controller: PoolController, runtime: Runtime) -> dict[str, Callable[[], Awaitable[None]]]:
    """What the controller runs for node groups while it leads; nothing without a provider."""
    try:
        provider = site.provider()
    except ProviderFault as exc:
        log.error("node groups are left alone: %s", exc)
        return {}
    if provider is None:
        return {}
    groups = NodeGroups(
        runtime,
        provider,
        demands=controller.demands,
        leads=controller.leads,
        instance=settings.AFLOW_INSTANCE,
        leader=controller.leader,
        secret=settings.SECRET_KEY,
        url=settings.AFLOW_URL,
    )
    return {"node groups": groups.run}
