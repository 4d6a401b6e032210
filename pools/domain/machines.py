"""Machines that a node group launched: their states, ends, and the token that is good for one of them."""

from __future__ import annotations

import hashlib
import hmac
from enum import StrEnum
from uuid import UUID

from pools.domain.agents import Transition


class MachineState(StrEnum):
    REQUESTED = "requested"  # intent written; the provider was asked, or will be
    LAUNCHED = "launched"  # the provider has it; the engine does not know it yet
    JOINED = "joined"  # it is a node of the engine
    LEAVING = "leaving"  # it takes no agents, and goes with the last one
    GONE = "gone"


class MachineEnd(StrEnum):
    IDLE = "idle"  # nothing ran there for long enough
    BACK_TO_SPOT = "back_to_spot"  # on demand above the base, and spot is to be had again
    SPOT_INTERRUPTION = "spot_interruption"
    NO_CAPACITY = "no_capacity"  # the provider had none
    REFUSED = "refused"  # the provider did not launch it
    NEVER_JOINED = "never_joined"
    VANISHED = "vanished"  # somebody else ended it
    LOST = "lost"  # the engine has not heard of it for long
    GROUP_REMOVED = "group_removed"


S = MachineState

TRANSITIONS: dict[MachineState, frozenset[MachineState]] = {
    # launched: the provider made it; gone: it did not
    S.REQUESTED: frozenset({S.LAUNCHED, S.LEAVING, S.GONE}),
    # joined: the engine tells of it; leaving: it never did, or is not wanted any more; gone: it ended
    S.LAUNCHED: frozenset({S.JOINED, S.LEAVING, S.GONE}),
    S.JOINED: frozenset({S.LEAVING, S.GONE}),
    # gone: the provider has ended it
    S.LEAVING: frozenset({S.GONE}),
    S.GONE: frozenset(),
}
LIVE = frozenset(S) - {S.GONE}  # costs money, and counts toward the group's max
HERE = frozenset({S.REQUESTED, S.LAUNCHED, S.JOINED})  # carries agents, or will


def propose(current: MachineState, wanted: MachineState) -> Transition:
    """Staying where one is, is accepted: writers are called twice."""
    if wanted == current:
        return Transition(True, "already there")
    if wanted in TRANSITIONS[current]:
        return Transition(True)
    return Transition(False, f"a machine cannot go from {current.value} to {wanted.value}")


def machine_token(secret: str, machine_id: UUID) -> str:
    """By which a machine shows who it is. Computed where it is needed, and stored nowhere but on it."""
    mac = hmac.new(secret.encode(), f"machine-token:{machine_id}".encode(), hashlib.sha256).hexdigest()
    return f"{machine_id}.{mac}"


def machine_of(token: str, secret: str) -> UUID | None:
    """Whose token it is; None for one that is nobody's."""
    try:
        machine_id = UUID(token.partition(".")[0])
    except ValueError:
        return None
    return (
        machine_id
        if hmac.compare_digest(machine_token(secret, machine_id).encode(), token.encode())
        else None
    )
