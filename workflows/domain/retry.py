"""When to try again: a pure function of the policy, the attempts so far and a random number."""

from __future__ import annotations

from workflows.domain.steps import Retry

# An agent that dies under a request is not the step's fault, so its retry policy is not asked; but a body
# that takes its agents with it must not do so for ever.
MAX_AGENT_LOSSES = 3
DEAD_LETTER = "dead_letter"
# Agents also die together, with their engine or their node: so the last of the three has some time to itself.
_LOSS_WAITS = (0.0, 2.0)
_NEVER_BEGAN = 0.2


def delay_before(policy: Retry, next_attempt: int, randomness: float) -> float:
    """Seconds to wait before `next_attempt` (2 is the first retry).

    With jitter the wait is drawn from [half, whole) of the backoff ("equal jitter" in Marc Brooker's
    "Exponential Backoff and Jitter"); `randomness` is uniform in [0, 1).
    """
    tries = next_attempt - 1
    factor: float = {"constant": 1, "linear": tries, "exponential": 2 ** min(tries - 1, 40)}[policy.backoff]
    wait = min(policy.delay * factor, policy.max_delay)
    return wait * (0.5 + randomness / 2) if policy.jitter else wait


def delay_after_loss(losses: int, *, began: bool) -> float:
    """Seconds to wait after an attempt lost its agent, the `losses`-th of that item or step."""
    if not began:
        return _NEVER_BEGAN
    return _LOSS_WAITS[min(losses, len(_LOSS_WAITS)) - 1]


def longest_wait(policy: Retry) -> float:
    """Seconds that no wait before a retry exceeds. One that would last longer was noted before the clock
    was set back."""
    return max(policy.max_delay, *_LOSS_WAITS)


def own_attempts(attempts: int, losses: int, excused: int) -> int:
    """How many attempts count against the policy.

    `losses` lost their agent; `excused` were interrupted by the platform itself, or belong to a time before
    somebody retried the run by hand.
    """
    return attempts - losses - excused


def may_retry(policy: Retry, own: int, losses: int, *, error_type: str, agent_lost: bool) -> bool:
    """Whether another attempt follows, after `own` attempts that count and `losses` that lost their agent."""
    if agent_lost:
        return losses < MAX_AGENT_LOSSES
    if policy.retry_on is not None and error_type not in policy.retry_on:
        return False
    return own < policy.max_attempts
