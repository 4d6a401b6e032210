"""What is known of agents that ended, and what it says of those to be made: a controller that takes over
holds broken images back as the one before it did.

Does not: read a clock, rows, or anything older than it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pools.domain.agents import EndReason
from pools.domain.breaker import Breaker

# Of an agent that never served: its image's doing.
START_FAULTS = frozenset({EndReason.ERRORS, EndReason.MEMORY})


@dataclass(frozen=True, slots=True)
class Life:
    """Of one agent. Times are monotonic seconds: when it was ready, and ended."""

    ready: float | None
    ended: float | None
    reason: EndReason | None


def breaker_of(lives: Sequence[Life], why: str | None) -> Breaker:
    """Of one image, with what the last failure said."""
    breaker = Breaker()
    told = [(life.ready, True) for life in lives if life.ready is not None]
    told += [
        (life.ended, False)
        for life in lives
        if life.ready is None and life.ended is not None and life.reason in START_FAULTS
    ]
    for moment, well in sorted(told):
        if well:
            breaker.succeeded()
        else:
            breaker.failed(moment, why)
    return breaker
