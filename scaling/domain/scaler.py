"""The scaler: a pool's signals and its policy in, a decision out. Pure: the same in gives the same out.

The order of the rules: what the load asks for; windows and dead band against oscillation; how fast the size
may change; the pool's limits; what the machines and the budget carry, last.
"""

from __future__ import annotations

import math

from scaling.domain.decisions import TRUSTED, Action, Decision, Forecast, Reason, Signals
from scaling.domain.policies import Metric, Policy
from scaling.domain.staffing import staff, z_of

STALE = 10.0  # seconds: older figures decide nothing
FEW = 4  # agents by which a pool may always grow
# Where agents take long to start and the size turns often, what is made for a peak serves when that is
# over: the dead band grows, to its double. So it does where forecasts are heeded.
SLOW = 60.0  # seconds of a start
OFTEN = 6  # turns an hour


def decide(seen: Signals, policy: Policy) -> Decision:
    candidates = wishes(seen, policy)
    reason = max(candidates, key=lambda name: candidates[name])
    wish = candidates[reason]
    if seen.age > STALE:
        return Decision(Action.HOLD, seen.target, seen.target, Reason.HOLD, wish, candidates, ("stale",))
    target, held_by = _steadied(seen, policy, wish)
    target, slowed_by = _paced(seen, policy, target)
    target, clamped_by, cause = _limited(seen, policy, target)
    return Decision(
        action=_action(seen.target, target),
        current_size=seen.target,
        target_size=target,
        reason=cause or _reason(seen.target, target, reason),
        wish=wish,
        candidates=candidates,
        clamped_by=(*held_by, *slowed_by, *clamped_by),
    )


def wishes(seen: Signals, policy: Policy) -> dict[str, int]:
    """What each rule asks for, by the reason that it would give."""
    found = {Reason.IDLE.value: 0}
    # Few arrivals in minutes say little of the next; that nobody came for a whole window says more.
    if Metric.RESPONSE_TIME in policy.metrics and seen.quiet <= policy.down_window:
        found[Reason.RESPONSE_TIME.value] = staff(seen.load, z_of(policy.target_utilization))
    if Metric.QUEUE_DEPTH in policy.metrics:
        found[Reason.QUEUE_DEPTH.value] = _for_queue(seen, policy)
    if Metric.UTILIZATION in policy.metrics:
        found[Reason.UTILIZATION.value] = _for_utilization(seen, policy)
    if Metric.SCHEDULE in policy.metrics and seen.coming:
        found[seen.coming_by] = seen.leased + seen.coming
    if (forecast := _heeded(seen, policy)) is not None:
        found[Reason.FORECAST.value] = forecast.floor
    if policy.min_idle:
        found[Reason.MIN_SIZE.value] = seen.leased + seen.waiting + policy.min_idle
    return found


def _heeded(seen: Signals, policy: Policy) -> Forecast | None:
    forecast = seen.forecast if policy.prediction else None
    return forecast if forecast is not None and forecast.on and forecast.coverage >= TRUSTED else None


def _for_queue(seen: Signals, policy: Policy) -> int:
    """An agent for each lease and each waiter. Short queues come and go with chance: half of the margin that
    is kept for chance is let wait, if agents that come free serve it before new ones could."""
    if not seen.waiting or not seen.service_time:
        return seen.leased + seen.waiting
    coming_free = seen.leased * seen.start_time / seen.service_time
    chance = 0.0
    if Metric.RESPONSE_TIME in policy.metrics:
        chance = z_of(policy.target_utilization) * math.sqrt(seen.load) / 2
    return seen.leased + math.ceil(max(0.0, seen.waiting - min(chance, coming_free)))


def _for_utilization(seen: Signals, policy: Policy) -> int:
    """Between the thresholds the present size; outside of them the one that brings the target back."""
    if policy.scale_down_threshold <= seen.utilization <= policy.scale_up_threshold:
        return seen.target
    busy = seen.utilization * seen.ready + seen.waiting
    return math.ceil(busy / policy.target_utilization)


def _steadied(seen: Signals, policy: Policy, wish: int) -> tuple[int, tuple[str, ...]]:
    """Up once a wish held through the up window, down to the down window's largest; small ones wait."""
    size, band = seen.target, _dead_band(seen, policy)
    if wish > size:
        wish = min(wish, seen.lowest if seen.lowest is not None else wish)
        if wish <= size:
            return size, ("up_window",)
        # A pool in need does not wait for its need to grow.
        if wish <= size * (1 + band) and not seen.waiting:
            return size, ("dead_band",)
        return wish, ()
    if wish == size:
        return size, ()
    if seen.watched < policy.down_window:
        return size, ("just_started",)
    if seen.since_up is not None and seen.since_up < policy.cooldown:
        return size, ("cooldown",)
    highest = max(wish, seen.highest)
    if highest >= size:
        return size, ("down_window",)
    if highest and size - highest < max(1.0, 2 * band * size):
        return size, ("dead_band",)
    return highest, ("down_window",) if highest > wish else ()


def _dead_band(seen: Signals, policy: Policy) -> float:
    slowly = min(1.0, seen.start_time / SLOW) * min(1.0, seen.turns / OFTEN)
    # A forecast lifts the size before each peak: beyond what is usual, it stays up until the next.
    foretold = min(1.0, max(0.0, seen.turns - OFTEN + 1) / 2) if _heeded(seen, policy) is not None else 0.0
    return policy.dead_band * (1 + max(slowly, foretold))


def _paced(seen: Signals, policy: Policy, target: int) -> tuple[int, tuple[str, ...]]:
    size = seen.target
    if target > size:
        # Agents that are starting are the growth of this start time.
        base = max(1, min(size, seen.ready))
        most = max(math.ceil(base * policy.scale_up_rate), base + FEW, size)
        if policy.step_up is not None:
            most = min(most, size + policy.step_up)
        return (most, ("step_up",)) if most < target else (target, ())
    if target < size:
        least = size - max(1, math.floor(size * policy.scale_down_rate))
        if policy.step_down is not None:
            least = max(least, size - policy.step_down)
        return (least, ("step_down",)) if least > target else (target, ())
    return target, ()


def _limited(seen: Signals, policy: Policy, target: int) -> tuple[int, tuple[str, ...], str | None]:
    """The limits that changed it, and the reason that the strongest of them gives."""
    clamped: list[str] = []
    cause: str | None = None
    lower = policy.min if policy.min or policy.scale_to_zero else 1
    if target < lower:
        target, cause = lower, Reason.MIN_SIZE.value if lower > seen.target else None
        clamped.append("min_size")
    if target > policy.max:
        target = policy.max
        clamped.append("max_size")
    for limit, name, why in (
        (_within_cost(seen, policy), "max_cost", Reason.BUDGET.value),
        (seen.room, "capacity", Reason.CAPACITY.value),
        (seen.affordable, "budget", Reason.BUDGET.value),
    ):
        if limit is not None and target > limit:
            target, cause = max(0, limit), why
            clamped.append(name)
    return target, tuple(clamped), cause


def spares(seen: Signals, policy: Policy, target: int) -> int:
    """How many agents there may be beside the target without going beyond a limit of it."""
    limits = (policy.max, _within_cost(seen, policy), seen.room, seen.affordable)
    return max(0, min(limit for limit in limits if limit is not None) - target)


def _within_cost(seen: Signals, policy: Policy) -> int | None:
    """Agents that the policy's money by the hour pays for; agents without a price cost none."""
    if policy.max_cost_per_hour is None or seen.price <= 0:
        return None
    return math.floor(policy.max_cost_per_hour / seen.price + 1e-9)


def _action(current: int, target: int) -> str:
    if target == current:
        return Action.HOLD.value
    return Action.SCALE_UP.value if target > current else Action.SCALE_DOWN.value


def _reason(current: int, target: int, strongest: str) -> str:
    if target == current:
        return Reason.HOLD.value
    return strongest if target > current else Reason.IDLE.value
