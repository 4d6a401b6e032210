"""The states of an agent: one enum, one table of edges, and the names people see.

Does not: read a clock, a database or Redis.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AgentState(StrEnum):
    """What an agent's row says. Of one in service, Redis alone says whether it is idle, leased, draining
    (leased for the last time) or condemned (to be removed): a write per lease would cost more than the lease.
    """

    REQUESTED = "requested"  # intent written, nothing made yet
    CREATING = "creating"  # the runtime was asked for it
    WARMING = "warming"  # it runs; its /health does not answer yet
    IDLE = "idle"  # in service
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


# Ends by something that is wrong with the agent, as opposed to those that the pool decided.
FAULTS = frozenset({EndReason.UNHEALTHY, EndReason.MEMORY, EndReason.ERRORS, EndReason.NODE_LOST})

# Ends of agents that nobody uses any more.
IN_ORDER = frozenset(
    {EndReason.IDLE_TIMEOUT, EndReason.MAX_USES, EndReason.MAX_AGE, EndReason.SCALE_DOWN, EndReason.BUDGET}
)

S = AgentState

TRANSITIONS: dict[AgentState, frozenset[AgentState]] = {
    # creating: the runtime call begins; stopping/gone: the pool shrank or vanished before it began
    S.REQUESTED: frozenset({S.CREATING, S.STOPPING, S.GONE}),
    # warming: the runtime made it; gone: the runtime refused, or it died at once
    S.CREATING: frozenset({S.WARMING, S.STOPPING, S.GONE}),
    # idle: /health answered; stopping: it did not in time
    S.WARMING: frozenset({S.IDLE, S.STOPPING, S.GONE}),
    # stopping: condemned, died, or unknown to the runtime
    S.IDLE: frozenset({S.STOPPING, S.GONE}),
    # gone: the runtime has nothing of it any more
    S.STOPPING: frozenset({S.GONE}),
    S.GONE: frozenset(),
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


def seen_from_outside(row_state: AgentState, lease_state: str | None, end: str | None = None) -> PublicState:
    """The public state, out of the row and what Redis says (idle, leased, draining, condemned, or None).

    `end` is why the agent leaves, where that is known: one that is wrong is `unhealthy` until it is gone,
    others are `draining`. A row in service that Redis does not know (yet, or after a loss of its memory)
    cannot serve: `starting`.
    """
    leaving = PublicState.UNHEALTHY if end in FAULTS else PublicState.DRAINING
    match row_state, lease_state:
        case S.GONE, _:
            return PublicState.TERMINATED
        case S.STOPPING, _:
            return leaving
        case S.IDLE, "idle":
            return PublicState.IDLE
        case S.IDLE, "leased":
            return PublicState.ACTIVE
        case S.IDLE, "draining":
            return PublicState.DRAINING
        case S.IDLE, "condemned":
            return leaving
        case _:
            return PublicState.STARTING
