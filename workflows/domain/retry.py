"""When to try again: a pure function of the policy, the attempt and a random number."""

from __future__ import annotations

from workflows.domain.document import Retry

# An agent that dies under a request is not the step's fault, so its retry policy is not asked; but a body
# that takes its agents with it must not do so for ever.
MAX_AGENT_LOSSES = 3


def delay_before(policy: Retry, next_attempt: int, randomness: float) -> float:
    """Seconds to wait before `next_attempt` (2 is the first retry).

    With jitter the wait is drawn from [half, whole) of the backoff ("equal jitter" in Marc Brooker's
    "Exponential Backoff and Jitter"); `randomness` is uniform in [0, 1).
    """
    tries = next_attempt - 1
    factor: float = {"constant": 1, "linear": tries, "exponential": 2 ** min(tries - 1, 40)}[policy.backoff]
    wait = min(policy.delay * factor, policy.max_delay)
    return wait * (0.5 + randomness / 2) if policy.jitter else wait


def may_retry(policy: Retry, attempts: int, losses: int, *, agent_lost: bool) -> bool:
    """Whether another attempt follows, after `attempts` in all, `losses` of which lost their agent."""
    if agent_lost:
        return losses < MAX_AGENT_LOSSES
    return attempts - losses < policy.max_attempts
