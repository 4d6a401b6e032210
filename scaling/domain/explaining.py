"""A decision as a sentence that a person understands."""

from __future__ import annotations

from scaling.domain.decisions import Action, Decision, Reason, Signals
from scaling.domain.policies import Policy

_HELD: dict[str, str] = {
    "stale": "the figures are older than ten seconds, and decide nothing",
    "just_started": "the pool has not been watched for a whole down window yet",
    "up_window": "the wish has not held for the whole up window yet",
    "down_window": "more were needed within the down window",
    "cooldown": "the last increase is too recent",
    "dead_band": "so small a difference is left alone",
    "min_size": "the minimum is kept",
    "max_size": "the maximum is reached",
    "capacity": "there are no more for this pool: others have their share",
    "max_cost": "more would cost above what the policy allows for an hour",
    "budget": "the budget carries no more",
}
_SLOWED = {"step_up": "in steps, as the policy limits them", "step_down": "a part at a time"}


def explain(seen: Signals, policy: Policy, decision: Decision) -> str:
    """One sentence or two, with the figures behind it."""
    said = f"{_why(seen, policy, decision)}; {_outcome(decision)}"
    return said[:1].upper() + said[1:]


def _why(seen: Signals, policy: Policy, decision: Decision) -> str:
    strongest = max(decision.candidates, key=lambda name: decision.candidates[name])
    want = _agents(decision.candidates[strongest])
    match strongest:
        case Reason.RESPONSE_TIME:
            return (
                f"{_rate(seen.arrival_rate)} of {seen.service_time or 0:.3g} s each keep {seen.load:.3g} "
                f"agents busy: short waits at a target of {policy.target_utilization:.0%} need {want}"
            )
        case Reason.QUEUE_DEPTH:
            callers = "1 caller waits" if seen.waiting == 1 else f"{seen.waiting} callers wait"
            verb = "is" if decision.candidates[strongest] == 1 else "are"
            return f"{_agents(seen.leased)} at work while {callers}: {want} {verb} needed"
        case Reason.UTILIZATION:
            return f"{seen.utilization:.0%} of the agents were busy in the last minute, which asks for {want}"
        case Reason.FORECAST if seen.forecast is not None:
            return (
                f"a load of {seen.forecast.load:.3g} busy agents is expected at most "
                f"({seen.forecast.forecaster}, {seen.forecast.quantile:.0%}), for which {want} are needed"
            )
        case Reason.LOOKAHEAD | Reason.SCHEDULE:
            return f"work that is known to come will need {want}"
        case Reason.MIN_SIZE:
            return f"{policy.min_idle} agents are to be free at any time, which asks for {want}"
    return "nobody asks for agents"


def _outcome(decision: Decision) -> str:
    size, target = decision.current_size, decision.target_size
    causes = [_HELD[name] for name in decision.clamped_by if name in _HELD]
    because = f": {', and '.join(causes)}" if causes else ""
    if decision.action == Action.HOLD:
        return f"the size stays at {size}{because}"
    pace = [_SLOWED[name] for name in decision.clamped_by if name in _SLOWED]
    return f"from {size} to {target}{', ' + pace[0] if pace else ''}{because}"


def _agents(number: int) -> str:
    return "1 agent" if number == 1 else f"{number} agents"


def _rate(per_second: float) -> str:
    if per_second >= 1 or not per_second:
        return f"{per_second:.3g} requests a second"
    return f"{per_second * 60:.3g} requests a minute"
