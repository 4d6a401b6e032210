"""Requests to deployed agents as rows: stored, claimed, ended, replayed. Each change of a state is one update
that names the state it comes from, and of one that is held, its holder: what comes too late changes nothing.

Does not: send anything.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from aflow_site.kernel.errors import Conflict, NotFound, Overloaded
from pools.domain.deployments import DeployedState, Desired, Health
from pools.domain.headers import Pairs
from pools.domain.requests import ENDED, FailReason, RequestState
from pools.facade.agent_contracts import Arrival
from pools.models import AgentRequest, DeployedAgent

HOLD = timedelta(seconds=30)  # a holder that is silent for so long is dead
QUEUE = "queue-"  # holders' names in the delivery loop begin so: there a request's turn has come
MOST_PENDING = 1000  # of one agent
RETRY_AFTER = 5  # seconds
CHUNK = 500

S = RequestState
_ENDED = [state.value for state in ENDED]


def takes_requests(agent: DeployedAgent) -> bool:
    return (
        agent.desired == Desired.RUNNING.value
        and agent.state == DeployedState.RUNNING.value
        and agent.health == Health.OK.value
        and bool(agent.address)
    )


def store(
    agent: DeployedAgent, arrival: Arrival, *, holder: str | None, now: datetime, most: int = MOST_PENDING
) -> AgentRequest:
    """Stored as held by `holder`, when the agent takes requests and none waits before it; else as pending.

    Raises `Overloaded` when too many wait.
    """
    with transaction.atomic():
        agent.refresh_from_db(fields=["desired", "state", "health", "address"])
        direct = holder is not None and takes_requests(agent) and not _has_queue(agent.pk)
        if not direct and _pending(agent.pk).count() >= most:
            raise Overloaded(
                f"{most} requests wait for {agent.name} already; try again when it has answered some.",
                headers={"Retry-After": str(RETRY_AFTER)},
            )
        held: dict[str, Any] = {}
        if direct:
            held = {"held_by": holder, "held_until": now + HOLD, "started_at": now, "attempts": 1}
        return AgentRequest.objects.create(
            agent=agent,
            method=arrival.method,
            path=arrival.path,
            headers=[list(pair) for pair in arrival.headers],
            body=arrival.body if arrival.whole else b"",
            whole=arrival.whole,
            created_by=arrival.author,
            created_at=now,
            state=(S.PROCESSING if direct else S.PENDING).value,
            **held,
        )


def _pending(agent_id: UUID) -> Any:
    return AgentRequest.objects.filter(agent_id=agent_id, state=S.PENDING.value)


def _has_queue(agent_id: UUID) -> bool:
    held = AgentRequest.objects.filter(agent_id=agent_id, state=S.PROCESSING.value, held_by__startswith=QUEUE)
    return _pending(agent_id).exists() or held.exists()


def claim_next(agent_id: UUID, holder: str, now: datetime) -> AgentRequest | None:
    """The agent's oldest pending request, held from now on; None when there is none, or one is held by
    another queue."""
    with transaction.atomic():
        busy = AgentRequest.objects.filter(
            agent_id=agent_id, state=S.PROCESSING.value, held_by__startswith=QUEUE
        )
        first = _pending(agent_id).order_by("number").first()
        if first is None or busy.exists() or not _claim(first, holder, now):
            return None
    first.refresh_from_db()
    return first


def claim(request: AgentRequest, holder: str, now: datetime) -> bool:
    """This request out of its turn (a replay that somebody waits for). False when it is held already."""
    if not _claim(request, holder, now):
        return False
    request.refresh_from_db()
    return True


def _claim(request: AgentRequest, holder: str, now: datetime) -> bool:
    claimed = AgentRequest.objects.filter(pk=request.pk, state=S.PENDING.value).update(
        state=S.PROCESSING.value,
        held_by=holder,
        held_until=now + HOLD,
        started_at=now,
        attempts=F("attempts") + 1,
    )
    return bool(claimed)


def _held(number: int, holder: str) -> Any:
    return AgentRequest.objects.filter(pk=number, state=S.PROCESSING.value, held_by=holder)


def renew(number: int, holder: str, now: datetime) -> bool:
    """False when it is not ours any more."""
    return bool(_held(number, holder).update(held_until=now + HOLD))


_LET_GO = {"held_by": "", "held_until": None}


def complete(
    number: int, holder: str, *, status: int, headers: Pairs, body: bytes, size: int, now: datetime
) -> bool:
    """The agent has answered. False when the claim had expired: that answer does not count."""
    with transaction.atomic():
        done = _held(number, holder).update(
            state=S.COMPLETED.value,
            reason=None,
            response_status=status,
            response_headers=[list(pair) for pair in headers],
            response_body=body,
            response_size=size,
            finished_at=now,
            **_LET_GO,
        )
        if done:
            used = DeployedAgent.objects.filter(requests__pk=number)
            used.update(uses=F("uses") + 1, last_used=now)
    return bool(done)


def fail(number: int, holder: str, reason: FailReason, now: datetime) -> bool:
    return bool(
        _held(number, holder).update(state=S.FAILED.value, reason=reason.value, finished_at=now, **_LET_GO)
    )


def give_back(number: int, holder: str) -> bool:
    """Nothing of it was sent: it waits in its old place."""
    return bool(_held(number, holder).update(state=S.PENDING.value, attempts=F("attempts") - 1, **_LET_GO))


def expire(now: datetime) -> int:
    """Those whose holder died. Whether the agent has them is not known: they are not sent again by
    themselves."""
    dead = AgentRequest.objects.filter(state=S.PROCESSING.value, held_until__lt=now)
    return dead.update(state=S.FAILED.value, reason=FailReason.INTERRUPTED.value, finished_at=now, **_LET_GO)


def find(agent: DeployedAgent, request_id: str | UUID) -> AgentRequest:
    """Raises `NotFound`."""
    try:
        wanted = request_id if isinstance(request_id, UUID) else UUID(request_id)
    except ValueError:
        wanted = None
    row = AgentRequest.objects.filter(agent=agent, id=wanted).first() if wanted else None
    if row is None:
        raise NotFound(
            f"There is no request {str(request_id)[:80]} to {agent.name}; it may have been deleted."
        )
    return row


def replay(agent: DeployedAgent, request_id: str | UUID) -> AgentRequest:
    """Pending again, in its old place. Raises `NotFound`, and `Conflict` while it waits or is on its way."""
    row = find(agent, request_id)
    if not row.whole:
        raise Conflict("The body of this request was streamed and is not stored; send it anew.")
    asked = AgentRequest.objects.filter(pk=row.pk, state__in=_ENDED)
    changed = asked.update(
        state=S.PENDING.value,
        replays=F("replays") + 1,
        reason=None,
        started_at=None,
        finished_at=None,
        response_status=None,
        response_headers=[],
        response_body=b"",
        response_size=0,
        **_LET_GO,
    )
    if not changed:
        raise Conflict("This request waits, or is on its way to the agent; replay it once that has ended.")
    row.refresh_from_db()
    return row


def waiting_agents() -> list[DeployedAgent]:
    """Those that take requests, and have some waiting."""
    found = DeployedAgent.objects.filter(
        desired=Desired.RUNNING.value,
        state=DeployedState.RUNNING.value,
        health=Health.OK.value,
        requests__state=S.PENDING.value,
    )
    return list(found.distinct())


def prune(before: datetime, limit: int = CHUNK) -> int:
    """Deletes up to `limit` requests that ended before that; how many there were."""
    old = AgentRequest.objects.filter(state__in=_ENDED, finished_at__lt=before).order_by("number")
    deleted, _ = AgentRequest.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:limit])).delete()
    return deleted
