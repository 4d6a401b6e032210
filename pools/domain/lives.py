"""What is known of agents that ended, and what it says of those to be made: a controller that takes over
holds broken images and pools in a crash loop back as the one before it did.

Does not: read a clock, rows, or anything older than it is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from pools.domain.agents import EndReason
from pools.domain.breaker import Breaker
from pools.domain.crash_loops import COUNTED, PROVEN_AGE, PROVEN_USES, CrashLoop, has_proved_itself

# Of an agent that never served: its image's doing.
START_FAULTS = frozenset({EndReason.ERRORS, EndReason.MEMORY})


@dataclass(frozen=True, slots=True)
class Life:
    """Of one agent. Times are monotonic seconds: when it was asked for, ready, and ended."""

    agent: UUID
    begun: float
    ready: float | None
    ended: float | None
    reason: EndReason | None
    uses: int

    @property
    def proved_at(self) -> float | None:
        """The earliest that it can have proved itself, for one that has; counted are the faults after it."""
        if self.ready is None:
            return None
        age = (self.ended or self.ready) - self.ready
        if self.uses >= PROVEN_USES:
            return self.ready
        if age >= PROVEN_AGE:
            return self.ready + PROVEN_AGE
        return self.ended if has_proved_itself(self.uses, age, self.reason) else None


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


def crash_loop_of(lives: Sequence[Life], max_size: int) -> CrashLoop:
    """Of one pool, whose agents are all made of the same."""
    loop = CrashLoop.of(max_size)
    told: list[tuple[float, int, Life]] = []
    for life in lives:
        if life.proved_at is not None:
            told.append((life.proved_at, 0, life))
        elif life.ready is not None and life.ended is not None and life.reason in COUNTED:
            told.append((life.ended, 1, life))
    for moment, kind, life in sorted(told, key=lambda event: event[:2]):
        if kind == 0:
            loop.proved(life.agent)
        elif life.reason is not None:
            loop.ended(life.reason, _living(lives, moment), moment)
    return loop


def _living(lives: Sequence[Life], moment: float) -> Iterator[UUID]:
    for life in lives:
        if life.begun <= moment and (life.ended is None or life.ended > moment):
            yield life.agent
