"""Writes about rented machines. `move` is the one function that writes a machine's state.

Does not: talk to a provider or an engine; callers do that between these short transactions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from aflow_site.kernel.errors import Conflict, NotAuthenticated
from pools.domain.agents import Transition
from pools.domain.machines import LIVE, MachineEnd, MachineState, machine_of, propose
from pools.domain.offers import Offer
from pools.models import Machine, NodeGroup
from pools.services.agents import NotLeading
from pools.services.epochs import leads

KEPT = timedelta(days=90)  # of machines that are gone
_LIVE = [state.value for state in LIVE]
_COMING = [MachineState.REQUESTED.value, MachineState.LAUNCHED.value]
HOUR = Decimal(3600)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A machine to rent, of what it is made, and what one like it costs on demand, per hour."""

    offer: Offer
    template: Mapping[str, Any]
    on_demand_price: Decimal | None


def request(
    group: NodeGroup,
    wanted: Sequence[Wanted],
    *,
    instance: str,
    leader: str,
    now: datetime,
) -> list[Machine]:
    """Writes the intent to rent these machines, never more than the group's `max`.

    Raises `NotLeading`.
    """
    with transaction.atomic():
        if not leads(instance, leader):
            raise NotLeading
        locked = NodeGroup.objects.select_for_update().filter(pk=group.pk, deleted_at__isnull=True).first()
        if locked is None:
            return []
        room = locked.max - Machine.objects.filter(group=locked, state__in=_LIVE).count()
        rows = [
            Machine(
                group=locked,
                group_name=locked.name,
                template=dict(one.template),
                instance_type=one.offer.instance_type,
                capacity_type=one.offer.capacity_type.value,
                zone=one.offer.zone,
                price=one.offer.price,
                on_demand_price=one.on_demand_price,
                requested_at=now,
            )
            for one in wanted[: max(0, room)]
        ]
        return Machine.objects.bulk_create(rows)


def move(
    machine_id: UUID,
    wanted: MachineState,
    *,
    now: datetime,
    reason: MachineEnd | None = None,
    **fields: Any,
) -> Transition:
    """Proposes a state; accepted, it is written together with `fields`. The first end reason stays."""
    with transaction.atomic():
        row = Machine.objects.select_for_update().get(pk=machine_id)
        answer = propose(MachineState(row.state), wanted)
        if not answer.accepted:
            return answer
        row.state = wanted.value
        if reason is not None and not row.end_reason:
            row.end_reason = reason.value
        if wanted is MachineState.GONE and row.ended_at is None:
            row.ended_at = now
        for name, value in fields.items():
            setattr(row, name, value)
        row.save(update_fields={"state", "end_reason", "ended_at", *fields})
        return answer


def live() -> list[Machine]:
    return list(Machine.objects.filter(state__in=_LIVE).order_by("requested_at"))


def note_empty(machine: Machine, empty: bool, now: datetime) -> None:
    since = (machine.empty_since or now) if empty else None
    if since != machine.empty_since:
        machine.empty_since = since
        Machine.objects.filter(pk=machine.pk).update(empty_since=since)


def reprice(machine: Machine, price: Decimal | None, on_demand_price: Decimal | None) -> None:
    """What it costs from now on, as far as that is known."""
    if price is None:
        price = machine.price
    if (machine.price, machine.on_demand_price) != (price, on_demand_price):
        machine.price, machine.on_demand_price = price, on_demand_price
        Machine.objects.filter(pk=machine.pk).update(price=price, on_demand_price=on_demand_price)


def meter(machine: Machine, now: datetime) -> None:
    """Adds what it has cost since the last time. Without an on-demand price, it would have cost the same."""
    since, price = machine.metered_at, machine.price
    machine.metered_at = now
    if since is not None and price is not None and now > since:
        hours = Decimal(str((now - since).total_seconds())) / HOUR
        dear = machine.on_demand_price if machine.on_demand_price is not None else price
        machine.cost = Decimal(machine.cost) + price * hours
        machine.on_demand_cost = Decimal(machine.on_demand_cost) + dear * hours
    machine.save(update_fields={"metered_at", "cost", "on_demand_cost"})


def ended_since(moment: datetime) -> list[Machine]:
    return list(Machine.objects.filter(ended_at__gte=moment))


def prune(now: datetime) -> None:
    Machine.objects.filter(state=MachineState.GONE.value, ended_at__lt=now - KEPT).delete()


# --- by the machine itself -----------------------------------------------------------------------------


def by_token(token: str, secret: str) -> Machine:
    """Whose token it is, while that is rented. Raises `NotAuthenticated`."""
    machine_id = machine_of(token, secret)
    row = Machine.objects.filter(pk=machine_id, state__in=_LIVE).first() if machine_id else None
    if row is None:
        raise NotAuthenticated(
            "This is for rented machines: send `Authorization: Bearer …` with their token."
        )
    return row


def may_join(machine: Machine) -> None:
    """The swarm's token is told only once a machine is on its way in. Raises `Conflict`."""
    if machine.state not in _COMING:
        raise Conflict("The machine has joined before, or is to leave.")


def disown(machine: Machine) -> None:
    """The node that it named is not it."""
    machine.node_ref = ""
    Machine.objects.filter(pk=machine.pk).update(node_ref="")


def joined(machine: Machine, node_ref: str) -> None:
    """It is that node of the engine, which it says on its way in. Saying it again is no fault. Raises
    `Conflict`."""
    if machine.node_ref == node_ref:
        return
    may_join(machine)
    try:
        coming = Machine.objects.filter(pk=machine.pk, node_ref="", state__in=_COMING)
        changed = coming.update(node_ref=node_ref)
    except IntegrityError as exc:
        raise Conflict("Another machine is that node.") from exc
    if not changed:
        raise Conflict("The machine is another node.")


def note_notice(machine: Machine, leave_by: datetime) -> None:
    """An earlier end counts."""
    if machine.leave_by is None or leave_by < machine.leave_by:
        machine.leave_by = leave_by
        Machine.objects.filter(pk=machine.pk).update(leave_by=leave_by)
