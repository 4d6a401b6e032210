"""The states of an agent: one enum, one table of edges, and the names people see.

Does not: read a clock, a database or Redis.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AgentState(StrEnum):
    """Internal states. `idle` in a row means "in service": whether it is leased right now is in Redis only,
    because a row per lease would cost more than the lease."""

    REQUESTED = "requested"  # intent written, nothing made yet
    CREATING = "creating"  # the runtime was asked for it
    WARMING = "warming"  # it runs; its /health does not answer yet
    IDLE = "idle"
    LEASED = "leased"
    RESETTING = "resetting"  # cleaning up between two leases
    SUSPECT = "suspect"  # a check failed; looked at again before the verdict
    QUARANTINED = "quarantined"  # kept for its logs, never leased
    DRAINING = "draining"  # no new leases; a running one finishes
    STOPPING = "stopping"  # being removed
    GONE = "gone"


class PublicState(StrEnum):
    STARTING = "starting"
    IDLE = "idle"
    ACTIVE = "active"
    DRAINING = "draining"
    UNHEALTHY = "unhealthy"
    TERMINATED = "terminated"


class EndReason(StrEnum):
    """Why an agent ended; the fixed list of PRODUCT's pools."""

    IDLE_TIMEOUT = "idle_timeout"
    MAX_USES = "max_uses"
    MAX_AGE = "max_age"
    UNHEALTHY = "unhealthy"
    MEMORY = "memory"
    ERRORS = "errors"
    SCALE_DOWN = "scale_down"
    BUDGET = "budget"
    SPOT_INTERRUPTION = "spot_interruption"
    RECYCLED = "recycled"
    NODE_LOST = "node_lost"


S = AgentState

TRANSITIONS: dict[AgentState, frozenset[AgentState]] = {
    # creating: the runtime call begins; stopping/gone: the pool shrank or vanished before it began
    S.REQUESTED: frozenset({S.CREATING, S.STOPPING, S.GONE}),
    # warming: the runtime made it; gone: the runtime refused, or it died at once
    S.CREATING: frozenset({S.WARMING, S.DRAINING, S.STOPPING, S.GONE}),
    # idle: /health answered; stopping: it did not in time
    S.WARMING: frozenset({S.IDLE, S.SUSPECT, S.DRAINING, S.STOPPING, S.GONE}),
    S.IDLE: frozenset({S.LEASED, S.SUSPECT, S.DRAINING, S.STOPPING, S.GONE}),
    # resetting: released; idle: released and clean already; suspect: released as poisoned
    S.LEASED: frozenset({S.IDLE, S.RESETTING, S.SUSPECT, S.DRAINING, S.STOPPING, S.GONE}),
    S.RESETTING: frozenset({S.IDLE, S.SUSPECT, S.DRAINING, S.STOPPING, S.GONE}),
    # idle: it answered after all; quarantined: it failed again
    S.SUSPECT: frozenset({S.IDLE, S.QUARANTINED, S.DRAINING, S.STOPPING, S.GONE}),
    S.QUARANTINED: frozenset({S.STOPPING, S.GONE}),
    S.DRAINING: frozenset({S.STOPPING, S.GONE}),
    S.STOPPING: frozenset({S.GONE}),
    S.GONE: frozenset(),
}

PUBLIC: dict[AgentState, PublicState] = {
    S.REQUESTED: PublicState.STARTING,
    S.CREATING: PublicState.STARTING,
    S.WARMING: PublicState.STARTING,
    S.IDLE: PublicState.IDLE,
    S.LEASED: PublicState.ACTIVE,
    S.RESETTING: PublicState.ACTIVE,
    S.SUSPECT: PublicState.UNHEALTHY,
    S.QUARANTINED: PublicState.UNHEALTHY,
    S.DRAINING: PublicState.DRAINING,
    S.STOPPING: PublicState.DRAINING,
    S.GONE: PublicState.TERMINATED,
}

STARTING = frozenset({S.REQUESTED, S.CREATING, S.WARMING})
LIVE = frozenset(S) - {S.GONE}  # counts toward max_size and cost


@dataclass(frozen=True, slots=True)
class Transition:
    """The answer to a proposed change of state: accepted or refused, and why."""

    accepted: bool
    reason: str = ""


def propose(current: AgentState, wanted: AgentState) -> Transition:
    """Staying where one is, is accepted: writers are called twice."""
    if wanted == current:
        return Transition(True, "already there")
    if wanted in TRANSITIONS[current]:
        return Transition(True)
    return Transition(False, f"an agent cannot go from {current.value} to {wanted.value}")


def seen_from_outside(row_state: AgentState, lease_state: str | None) -> PublicState:
    """The public state, out of the row and what Redis says (idle, leased, draining, condemned, or None).

    A row in service that Redis does not know (yet, or after a loss of its memory) cannot serve: `starting`.
    """
    if row_state is not S.IDLE:
        return PUBLIC[row_state]
    match lease_state:
        case "idle":
            return PublicState.IDLE
        case "leased":
            return PublicState.ACTIVE
        case "draining" | "condemned":
            return PublicState.DRAINING
        case _:
            return PublicState.STARTING
