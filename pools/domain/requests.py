"""Requests to deployed agents: their states, and why one failed."""

from __future__ import annotations

from enum import StrEnum

from pools.domain.agents import Transition


class RequestState(StrEnum):
    PENDING = "pending"  # stored; nothing of it was sent
    PROCESSING = "processing"  # one deliverer holds it; it may have been sent
    COMPLETED = "completed"  # the agent answered, whatever the status of its answer
    FAILED = "failed"  # no (whole) answer came; whether the agent acted on it is not known


class FailReason(StrEnum):
    INTERRUPTED = "interrupted"  # the connection broke, or the deliverer died, after it may have been sent
    TIMEOUT = "timeout"
    CLIENT_GONE = "client_gone"  # whoever waited for a streamed answer hung up
    TOO_LARGE = "too_large"  # the body was streamed through and is not stored, so it cannot be sent again


R = RequestState

TRANSITIONS: dict[RequestState, frozenset[RequestState]] = {
    # processing: claimed
    R.PENDING: frozenset({R.PROCESSING}),
    # pending: it was certainly not sent (no connection); else answered, or not
    R.PROCESSING: frozenset({R.PENDING, R.COMPLETED, R.FAILED}),
    # pending: somebody asked for a replay
    R.COMPLETED: frozenset({R.PENDING}),
    R.FAILED: frozenset({R.PENDING}),
}
ENDED = frozenset({R.COMPLETED, R.FAILED})


def propose(current: RequestState, wanted: RequestState) -> Transition:
    if wanted in TRANSITIONS[current]:
        return Transition(True)
    return Transition(False, f"a request cannot go from {current.value} to {wanted.value}")
