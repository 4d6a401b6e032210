"""What a decision saw, what it decided, and why: data that a replay turns into the same decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

TRUSTED = 0.8  # coverage below which a forecast of 0.9 is not heeded


class Action(StrEnum):
    SCALE_UP = "scale_up"
    SCALE_DOWN = "scale_down"
    HOLD = "hold"


class Reason(StrEnum):
    """The short fixed list that metrics carry."""

    QUEUE_DEPTH = "queue_depth"
    UTILIZATION = "utilization"
    RESPONSE_TIME = "response_time"
    SCHEDULE = "schedule"
    FORECAST = "forecast"
    LOOKAHEAD = "lookahead"
    MIN_SIZE = "min_size"
    BUDGET = "budget"
    IDLE = "idle"
    SPOT = "spot"
    CAPACITY = "capacity"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Forecast:
    """`floor` agents carry the load that is expected at most, with probability `quantile`, until agents that
    are started now would serve. `coverage`: how often that was so, lately. `median`: the load that is as
    likely to be exceeded as not. `on`: whether it pays to heed it."""

    floor: int
    quantile: float
    coverage: float
    load: float  # busy agents
    forecaster: str
    median: float = 0.0
    on: bool = True


@dataclass(frozen=True, slots=True)
class Signals:
    """A pool at one moment. Times in seconds; `at` since the epoch; numbers are of agents, leases, waiters.

    `utilization` is the mean share of busy agents over the last minute, `start_time` the 95th percentile of
    what an agent takes to serve, `highest` the largest wish inside the policy's down window and `lowest` the
    smallest inside its up window (this evaluation's not counted), `watched` how long this pool has been
    watched, `quiet` for how long nobody has come, waited or held a lease, `age` how old these figures are,
    `coming` the agents that known work will need, `turns` how often in the last hour the size turned from
    rising to falling or back.
    """

    at: float
    target: int
    ready: int
    starting: int
    leased: int
    waiting: int
    oldest_wait: float = 0.0
    arrival_rate: float = 0.0
    service_time: float | None = None
    utilization: float = 0.0
    start_time: float = 5.0
    highest: int = 0
    lowest: int | None = None
    since_up: float | None = None
    watched: float = 1e9
    quiet: float = 0.0
    age: float = 0.0
    turns: int = 0
    coming: int = 0
    coming_by: str = Reason.LOOKAHEAD
    forecast: Forecast | None = None
    affordable: int | None = None  # agents that the budget carries to its period's end
    room: int | None = None  # agents that there are for the pool, where there are not enough for all
    price: float = 0.0  # of an agent-hour

    @property
    def load(self) -> float:
        """Busy agents that the present arrivals need on average."""
        return self.arrival_rate * (self.service_time or 0.0)


@dataclass(frozen=True, slots=True)
class Decision:
    """`wish` is what the signals ask for, before windows and limits; `candidates` each rule's own wish.
    `clamped_by` names the limits that changed the outcome."""

    action: str
    current_size: int
    target_size: int
    reason: str
    wish: int
    candidates: Mapping[str, int]
    clamped_by: tuple[str, ...] = ()


def as_record(value: Signals | Decision) -> dict[str, Any]:
    """As JSON holds it."""
    return asdict(value)


def signals_from(record: Mapping[str, Any]) -> Signals:
    """The other way round; what was decided on this is decided again."""
    forecast = record.get("forecast")
    return Signals(**{**record, "forecast": Forecast(**forecast) if forecast else None})
