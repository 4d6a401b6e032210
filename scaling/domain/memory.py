"""What the scaler remembers of a pool between two evaluations. All of it is rebuilt by watching."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from scaling.domain.arrivals import Arrivals
from scaling.domain.decisions import Action, Decision, Reason
from scaling.domain.policies import Policy
from scaling.domain.service import ServiceTime

UTILIZATION_OVER = 60.0  # seconds
TURNS_OVER = 3600.0  # seconds
OF_LOAD = (Reason.RESPONSE_TIME, Reason.UTILIZATION)  # wishes that come of work that was, not of work to come


class Memory:
    """`since` is when the watch began; times in seconds of one clock, which may jump: what lies ahead of `at`
    is forgotten."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.arrivals = Arrivals()
        self.service = ServiceTime()
        self.grown_at: float | None = None
        self._last_move: str | None = None
        self._turns: deque[float] = deque()  # when the size began to go the other way
        self._worked_at = since
        # When, how many agents, and how many of these for other reasons than the load of that moment.
        self._wishes: deque[tuple[float, int, int]] = deque()
        self._busy: deque[tuple[float, float]] = deque()

    def see(self, at: float, leased: int, ready: int, waiting: int) -> None:
        self._trim(at)
        if leased or waiting:
            self._worked_at = at
        self._busy.append((at, min(1.0, leased / ready) if ready else 0.0))

    @property
    def utilization(self) -> float:
        return sum(share for _, share in self._busy) / len(self._busy) if self._busy else 0.0

    def quiet(self, at: float) -> float:
        """Seconds in which nobody came, waited or held a lease."""
        return min(at - self._worked_at, float(self.arrivals.quiet))

    def highest(self, at: float, window: float) -> int:
        """The load of a window in which nobody came is over before the window is."""
        over = self.quiet(at) > window
        wishes = (lasting if over else wish for when, wish, lasting in self._wishes if when > at - window)
        return max(wishes, default=0)

    def lowest(self, at: float, window: float) -> int | None:
        """None without a window; 0 while it has not been watched for so long."""
        if window <= 0:
            return None
        if at - self.since < window:
            return 0
        return min((wish for when, wish, _ in self._wishes if when > at - window), default=None)

    def turns(self, at: float) -> int:
        """How often in the last hour the size went the other way than before."""
        return sum(turned > at - TURNS_OVER for turned in self._turns)

    def since_up(self, at: float) -> float | None:
        return None if self.grown_at is None else at - self.grown_at

    def wish(self, at: float, size: int) -> None:
        """Somebody else's wish, which counts like a decision's."""
        self._wishes.append((at, size, size))

    def keep(self, at: float, decision: Decision, policy: Policy) -> None:
        self._wishes.append((at, decision.wish, _lasting(decision.candidates)))
        longest = max(policy.down_window, policy.up_window)
        while self._wishes and self._wishes[0][0] <= at - longest:
            self._wishes.popleft()
        if decision.action == Action.SCALE_UP:
            self.grown_at = at
        if decision.action != Action.HOLD:
            self._move(at, decision.action)

    def _move(self, at: float, action: str) -> None:
        if self._last_move not in (None, action):
            self._turns.append(at)
        self._last_move = action
        while self._turns and self._turns[0] <= at - TURNS_OVER:
            self._turns.popleft()

    def _trim(self, at: float) -> None:
        if self._busy and self._busy[-1][0] > at:  # the clock was set back
            self.since = self._worked_at = min(self.since, at)
            self.grown_at = None
            self._busy.clear()
            self._wishes.clear()
            self._turns.clear()
        while self._busy and self._busy[0][0] <= at - UTILIZATION_OVER:
            self._busy.popleft()


def _lasting(candidates: Mapping[str, int]) -> int:
    return max((wish for reason, wish in candidates.items() if reason not in OF_LOAD), default=0)
