"""Agents that start and soon end by a fault, one after the other: a pool in a crash loop makes new ones less
and less often, one at a time.

The breaker (`domain.breaker`) sees starts alone, and each of these succeeds. Before anything is held back,
twice as many ends are forgiven as an engine's restart causes: agents die together for reasons that are not
theirs. One agent that proves itself, and was not there when the loop began, ends it.

What a controller knows of it is kept for the next one as it is, and not made anew from when agents ended: a
clock that was set back would put those that died behind those that did their work since.

Does not: read a clock, or know why an agent ended in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pools.domain.agents import IN_ORDER, EndReason

# Not a node's loss: nothing is wrong with the agent.
COUNTED = frozenset({EndReason.UNHEALTHY, EndReason.MEMORY, EndReason.ERRORS})
PROVEN_USES = 3  # requests answered; the fewest that a preset's `error_threshold` asks for
PROVEN_AGE = 600.0  # seconds in service
FORGIVEN = 10
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0

WORDS: Mapping[EndReason, str] = {
    EndReason.UNHEALTHY: "failed their health check",
    EndReason.MEMORY: "used too much memory",
    EndReason.ERRORS: "died or failed at their work",
}


def _forgiven(max_size: int) -> int:
    return max(FORGIVEN, 2 * max_size)


def has_proved_itself(uses: int, age: float, end: EndReason | None = None) -> bool:
    """`age`: seconds in service. `end`: why it ended, if it has; in order after work is proof enough."""
    return uses >= PROVEN_USES or age >= PROVEN_AGE or (uses > 0 and end in IN_ORDER)


@dataclass(slots=True)
class CrashLoop:
    """Of one pool. Times are monotonic seconds, passed in."""

    forgiven: int
    ends: Counter[EndReason] = field(default_factory=Counter)
    open_until: float = 0.0
    before: frozenset[UUID] = frozenset()  # agents that lived when it began: they prove nothing
    last_words: str = ""

    @classmethod
    def of(cls, max_size: int) -> CrashLoop:
        return cls(forgiven=_forgiven(max_size))

    def resized(self, max_size: int) -> None:
        """One that has grown is forgiven more at once, one that has shrunk is forgiven less the next time."""
        new = _forgiven(max_size)
        self.forgiven = max(self.forgiven, new) if self.ends else new

    @property
    def excess(self) -> int:
        """Ends beyond what is forgiven."""
        return max(0, self.ends.total() - self.forgiven)

    @property
    def pause(self) -> float:
        """Seconds between two agents; 0 while nothing is held back."""
        return min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self.excess - 1, 10)) if self.excess else 0.0

    def ended(self, reason: EndReason, living: Iterable[UUID], now: float) -> None:
        """An agent that had not proved itself ended by a fault; `living` are the pool's others."""
        if reason not in COUNTED:
            return
        if not self.ends:
            self.before = frozenset(living)
        self.ends[reason] += 1
        if self.excess:
            self.open_until = max(self.open_until, now + self.pause)

    def proved(self, agent: UUID) -> bool:
        """An agent proved itself; True when that ends the loop."""
        if not self.ends or agent in self.before:
            return False
        self.ends.clear()
        self.open_until, self.before, self.last_words = 0.0, frozenset(), ""
        return True

    def allowed(self, wanted: int, now: float) -> int:
        """How many of `wanted` agents may be made now."""
        if not self.excess:
            return wanted
        return min(wanted, 1) if now >= self.open_until else 0

    def started(self, now: float) -> None:
        """One is being made: the next one waits for as long again."""
        if self.excess:
            self.open_until = now + self.pause

    def kept(self, wall: float) -> dict[str, Any] | None:
        """For JSON; None without ends in a row. `wall`: seconds from a monotonic time to Unix time."""
        if not self.ends:
            return None
        return {
            "ends": {reason.value: number for reason, number in self.ends.items()},
            "forgiven": self.forgiven,
            "until": self.open_until + wall if self.excess else None,
            "before": sorted(str(agent) for agent in self.before),
            "last_words": self.last_words,
        }

    @classmethod
    def taken_up(cls, kept: Mapping[str, Any], now: float, wall: float) -> CrashLoop:
        """As `kept` by another controller, maybe on another machine. No pause is longer than it would be if
        it began now: the clock may have been set back. Raises KeyError, TypeError, ValueError for what `kept`
        did not make."""
        loop = cls(
            forgiven=kept["forgiven"],
            ends=Counter({EndReason(reason): number for reason, number in kept["ends"].items()}),
            before=frozenset(map(UUID, kept["before"])),
            last_words=kept["last_words"],
        )
        if kept["until"] is not None:
            loop.open_until = min(kept["until"] - wall, now + loop.pause)
        return loop

    @property
    def sentence(self) -> str | None:
        """What people should know; None while nothing is held back."""
        if not self.excess:
            return None
        ranked = sorted(self.ends, key=lambda reason: (-self.ends[reason], reason))
        causes = ", ".join(f"{self.ends[reason]} {WORDS[reason]}" for reason in ranked)
        advice = (
            "Raise the pool's memory, or see what its work uses it for."
            if ranked[0] is EndReason.MEMORY
            else "Look at the logs of what ran on them, and mend the image or the work."
        )
        words = f" The last one wrote: {self.last_words}" if self.last_words else ""
        pace = f"one at a time, at most one every {self.pause:g} s, until one does its work"
        return (
            f"{self.ends.total()} agents in a row ended soon after they had started: {causes}. "
            f"New ones are made {pace}. {advice}{words}"
        )
