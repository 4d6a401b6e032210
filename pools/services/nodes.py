"""Writes about nodes: the mirror of what the engine says, and what people have it do.

The engine is the truth. The one thing that it does not know is that a pause is the beginning of a drain.
Does not: end agents; the controller does, when it sees their node drain or go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from asgiref.sync import async_to_sync
from django.db import transaction
from django.db.models import Q

from aflow_site.kernel.errors import Conflict, FlowError, NotFound
from pools.domain.agents import LIVE
from pools.domain.nodes import Availability, NodeAction, NodeState, facts_of, state_of
from pools.models import Agent, Node
from pools.runtime.base import EngineNode, NotSupported, Runtime, RuntimeFault
from teams.facade import api as teams

ACT_SECONDS = 15.0
LONGEST_NOTE = 500
VERBS = {NodeAction.CORDON: "cordoned", NodeAction.UNCORDON: "uncordoned", NodeAction.DRAIN: "drained"}


class EngineTrouble(FlowError):
    """The engine did not do what it was asked to."""

    code = "runtime"
    status = 503
    title = "The container engine does not do it"


def mirror(found: Sequence[EngineNode], asked_at: datetime) -> list[Node]:
    """Brings the rows to what the engine said when it was asked at that moment. Returns them.

    Most of the time nothing has changed, and nothing is locked.
    """
    rows = {row.ref: row for row in Node.objects.all()}
    same = set(rows) == {node.ref for node in found}
    if same and not any(_changes(rows[node.ref], node, asked_at) for node in found):
        return list(rows.values())
    with transaction.atomic():
        rows = {row.ref: row for row in Node.objects.select_for_update()}
        Node.objects.exclude(ref__in=[node.ref for node in found]).delete()
        for node in found:  # names that change hands would collide on the way
            row = rows.get(node.ref)
            if row is not None and row.name != node.name:
                Node.objects.filter(pk=row.pk).update(name=f"{row.ref[:100]} (renamed)")
        return [_write(rows.get(node.ref), node, asked_at) for node in found]


def _write(row: Node | None, node: EngineNode, asked_at: datetime) -> Node:
    if row is None:
        return Node.objects.create(ref=node.ref, changed_at=asked_at, **_values(node, None))
    changes = _changes(row, node, asked_at)
    for name, value in changes.items():
        setattr(row, name, value)
    if changes:
        row.save(update_fields=set(changes))
    return row


def _changes(row: Node, node: EngineNode, asked_at: datetime) -> dict[str, Any]:
    since, leave_by = row.draining_since, row.leave_by
    if since is not None and since < asked_at and node.availability is Availability.ACTIVE:
        since = leave_by = None  # somebody opened it by the engine's own means
    values = {**_values(node, since), "leave_by": leave_by}
    if row.state != values["state"]:
        values["changed_at"] = asked_at
    return {name: value for name, value in values.items() if getattr(row, name) != value}


def _values(node: EngineNode, draining_since: datetime | None) -> dict[str, Any]:
    facts = facts_of(node.labels)
    wanted = draining_since is not None
    return {
        "name": node.name,
        "address": node.address[:128],
        "state": state_of(heard=node.heard, availability=node.availability, drain_wanted=wanted).value,
        "cpus": node.cpus,
        "memory": node.memory,
        "price": facts.price,
        "on_demand_price": facts.on_demand_price,
        "capacity_type": facts.capacity_type.value,
        "zone": facts.zone,
        "note": " ".join(filter(None, (node.note, *facts.faults)))[:LONGEST_NOTE],
        "draining_since": draining_since,
    }


def all_lost(note: str, moment: datetime) -> None:
    """The engine itself does not answer, and it has but one node."""
    Node.objects.exclude(state=NodeState.LOST.value).update(
        state=NodeState.LOST.value, note=note[:LONGEST_NOTE], changed_at=moment
    )


def find(name: str) -> Node:
    row = Node.objects.filter(name=name).first()
    if row is None:
        raise NotFound(f"There is no node named {name}.")
    return row


def name_of(ref: str) -> str | None:
    """Of the node that the engine knows by that id."""
    row = Node.objects.filter(ref=ref).first() if ref else None
    return None if row is None else row.name


def by_ref() -> dict[str, Node]:
    return {row.ref: row for row in Node.objects.all()}


def emptied() -> list[Node]:
    """Nodes of a drain of ours that carry no agent any more."""
    busy = Agent.objects.filter(state__in=[state.value for state in LIVE]).values("node")
    return list(Node.objects.filter(draining_since__isnull=False).exclude(name__in=busy))


def act(name: str, action: NodeAction, runtime: Runtime, *, team_id: int, author: str) -> Node:
    """Has the engine do it, then writes what it says. Outside transactions: the engine takes its time.

    Raises `NotFound`, `Conflict` where this cannot be done to the node, `EngineTrouble`.
    """
    row = find(name)
    if row.state == NodeState.LOST.value and action is NodeAction.DRAIN:
        raise Conflict(f"Node {name} is lost: its agents were given up already. Cordon it to keep it empty.")
    # A drain begins as a pause: the engine's own would end leases in their midst.
    wanted = Availability.ACTIVE if action is NodeAction.UNCORDON else Availability.PAUSE
    found, asked_at = _have_it_done(runtime, row.ref, wanted)
    with transaction.atomic():
        since = datetime.now(UTC) if action is NodeAction.DRAIN else None
        Node.objects.filter(ref=row.ref).update(draining_since=since, leave_by=None)
        mirror(found, asked_at)
        teams.audit(team_id, actor=author, action=f"node.{VERBS[action]}", target=f"node/{name}")
    return find(name)


def interrupt(
    name: str, leave_by: datetime, runtime: Runtime, *, told_by: tuple[int, str] | None = None
) -> Node:
    """Its cloud takes the machine away then: no new agents there, and those that are there leave until then.
    The same notice again changes nothing; an earlier end counts. `told_by`: a team and who of it, for its
    audit log; None: the machine itself.

    Raises `NotFound`, `Conflict` where this cannot be done to the node, `EngineTrouble`.
    """
    row = find(name)
    found, asked_at = _have_it_done(runtime, row.ref, Availability.PAUSE)
    with transaction.atomic():
        note_interruption(row.ref, leave_by)
        mirror(found, asked_at)
        if told_by is not None:
            team_id, author = told_by
            teams.audit(team_id, actor=author, action="node.interrupted", target=f"node/{name}")
    return find(name)


def note_interruption(ref: str, leave_by: datetime) -> None:
    """Of a node that the engine keeps from taking agents. An earlier end counts."""
    begin_drain(ref)
    rows = Node.objects.filter(ref=ref)
    rows.filter(Q(leave_by=None) | Q(leave_by__gt=leave_by)).update(leave_by=leave_by)


def begin_drain(ref: str) -> None:
    """Of a node that the engine keeps from taking agents."""
    Node.objects.filter(ref=ref, draining_since=None).update(draining_since=datetime.now(UTC))


def _have_it_done(runtime: Runtime, ref: str, wanted: Availability) -> tuple[list[EngineNode], datetime]:
    async def do() -> tuple[list[EngineNode], datetime]:
        try:
            async with asyncio.timeout(ACT_SECONDS):
                await runtime.start()
                await runtime.set_availability(ref, wanted)
                asked_at = datetime.now(UTC)
                return await runtime.nodes(), asked_at
        finally:
            await runtime.close()

    try:
        return async_to_sync(do)()
    except NotSupported as exc:
        raise Conflict(str(exc)) from exc
    except TimeoutError as exc:
        raise EngineTrouble(f"The container engine did not answer within {ACT_SECONDS:g} s.") from exc
    except RuntimeFault as exc:
        raise EngineTrouble(str(exc)) from exc
