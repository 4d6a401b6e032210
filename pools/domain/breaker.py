"""The circuit breaker on creation: an image that does not start is tried less and less often.

After a failure one probe at a time is let through (half-open); a success closes the circuit. Whoever calls
`started` calls one of `succeeded`, `failed` and `undecided` afterwards: a probe without an end would keep the
circuit open for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0


@dataclass(slots=True)
class Breaker:
    """Times are monotonic seconds, passed in."""

    failures: int = 0
    open_until: float = 0.0
    probing: bool = False
    why: str | None = None  # of the last failure that said so

    def allowed(self, wanted: int, now: float) -> int:
        """How many of `wanted` creations may start now."""
        if self.failures == 0:
            return wanted
        if now < self.open_until or self.probing:
            return 0
        return min(wanted, 1)

    def started(self) -> None:
        if self.failures:
            self.probing = True

    def succeeded(self) -> None:
        self.failures = 0
        self.open_until = 0.0
        self.probing = False
        self.why = None

    def undecided(self) -> None:
        """The attempt ended without telling anything about the image."""
        self.probing = False

    def failed(self, now: float, why: str | None = None, *, lasting: bool = False) -> float:
        """Opens the circuit; returns the pause in seconds. `lasting`: soon another attempt would fail too."""
        self.probing = False
        self.why = why or self.why
        # Failures that were in flight together count as one step, else four at once would jump to a minute.
        if now >= self.open_until:
            self.failures += 1
            growing = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self.failures - 1, 10))
            self.open_until = now + (LONGEST_PAUSE if lasting else growing)
        return max(0.0, self.open_until - now)
