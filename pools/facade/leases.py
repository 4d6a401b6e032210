"""The door to leases for programs outside."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from django.conf import settings

from aflow_site.kernel.errors import FlowError
from aflow_site.kernel.hang_up import HangUp
from pools.facade import site
from pools.facade.api import lease_store
from pools.facade.contracts import (
    Invocation,
    InvocationResult,
    LeaseOutcome,
    LeaseTimeout,
    LeaseView,
    PricedPool,
)
from pools.leases.store import HeldLease
from pools.models import Pool
from pools.selectors import pools as selectors
from pools.selectors import prices
from pools.services import borrowing
from pools.services import pools as services
from pools.services.borrowing import Loan, Wish

__all__ = ["Gate", "Loan", "Wish", "ask", "borrow", "give_back", "guard", "keep", "list_leases", "put_back"]


class Gate(Protocol):
    """Who must agree to a program's lease before it begins, and each time it is kept: budgets do."""

    def is_needed(self) -> bool:
        """Whether anybody has to be asked at all."""

    def admit(self, pool: PricedPool, token: str, seconds: float) -> None:
        """The lease may last so long from now. Raises what the program is to be told."""

    def settle(self, pool: PricedPool, token: str, team_id: int, seconds: float) -> None:
        """It has ended, after so long; zero where its program never had it."""


_gates: list[Gate] = []


def guard(gate: Gate) -> None:
    """From now on."""
    _gates.append(gate)


LONGEST_AWAY = 300  # seconds after which anybody may ask again, however long the queue is


def _door() -> borrowing.Door:
    return borrowing.Door(settings.REDIS_URL, site.key_prefix(), settings.SECRET_KEY)


def borrow(team_id: int, pool: str, wish: Wish, hang_up: HangUp) -> Loan:
    """A lease on a healthy agent of a pool that the team may use.

    Raises `PoolNotFound`, and `LeaseTimeout` when none came free in time or too many wait: its Retry-After
    tells when one should come free, by the queue and what leases took so far. Whoever hangs up gets none, and
    `asyncio.CancelledError` is raised.
    """
    row = services.find(team_id, pool, selectors.usable_by(team_id))
    try:
        loan = borrowing.borrow(_door(), row, team_id, wish, hang_up)
        try:
            _admit(row.pk, loan.lease.token, wish.ttl)
        except FlowError:
            if wish.key is None:  # by a key it may be a lease that its program has had for some time
                put_back(loan)
            raise
        return loan
    except LeaseTimeout as exc:
        estimate = selectors.views([row], lease_store())[0].wait_estimate
        if estimate is not None:
            exc.headers["Retry-After"] = str(min(LONGEST_AWAY, max(1, math.ceil(estimate))))
        raise


def put_back(loan: Loan) -> None:
    """As if it had never been asked for: the program is gone, and never learned of it."""
    borrowing.put_back(lease_store(), loan)
    _settle(_priced(loan.lease.pool_id), loan.lease.token, 0, 0.0)


def keep(team_id: int, token: str) -> datetime:
    """A heartbeat; until when the lease lasts now. Raises `NotFound`, and what a gate does; the lease lasts
    as long as it did then."""
    _admit_again(borrowing.find(lease_store(), team_id, token))
    return _time(borrowing.keep(lease_store(), team_id, token).expires_ms)


def give_back(team_id: int, token: str, outcome: LeaseOutcome = LeaseOutcome.OK) -> None:
    """Raises `NotFound` when it had ended before."""
    held = borrowing.find(lease_store(), team_id, token)
    pool = _priced(held.pool_id)
    borrowing.give_back(lease_store(), team_id, token, outcome)
    _settle(pool, token, team_id, max(0.0, time.time() - held.since_ms / 1000))


def ask(team_id: int, token: str, invocation: Invocation, hang_up: HangUp) -> InvocationResult:
    """One request to the leased agent. Raises `NotFound`, `LeaseLost`, `AgentLost`, `AgentTimeout`, and
    `asyncio.CancelledError` when whoever asked hangs up; and what a gate raises, which must agree to the
    time-out, for the request keeps the lease."""
    _admit_again(borrowing.find(lease_store(), team_id, token), invocation.timeout)
    return borrowing.ask(_door(), lease_store(), team_id, token, invocation, hang_up)


def _admit_again(held: HeldLease, timeout: float = 0.0) -> None:
    _admit(held.pool_id, held.token, max(held.ttl_ms / 1000, timeout))


def _admit(pool_id: UUID, token: str, seconds: float) -> None:
    for gate in _gates:
        if gate.is_needed() and (pool := _priced(pool_id)) is not None:
            gate.admit(pool, token, seconds)


def _settle(pool: PricedPool | None, token: str, team_id: int, seconds: float) -> None:
    for gate in _gates:
        if pool is not None:
            gate.settle(pool, token, team_id, seconds)


def _priced(pool_id: UUID) -> PricedPool | None:
    """None for one that has just gone, and its leases with it."""
    row = Pool.objects.filter(pk=pool_id).first()
    if row is None:
        return None
    return PricedPool(row.pk, row.team_id, row.name, row.concurrency, prices.rate_of(row))


def list_leases(team_id: int, pool: str | None = None) -> list[LeaseView]:
    """The team's live leases in the pools that it may use; those to expire first come first."""
    rows = selectors.usable_by(team_id)
    names = dict((rows.filter(name=pool) if pool else rows).values_list("pk", "name"))
    held = lease_store().held(list(names))
    found = [_view(names[lease.pool_id], lease) for lease in held if lease.team_id == team_id]
    return sorted(found, key=lambda view: view.expires_at)


def _view(pool: str, held: HeldLease) -> LeaseView:
    return LeaseView(
        pool=pool,
        agent_id=held.agent_id,
        holder=held.holder,
        fence=held.fence,
        expires_at=_time(held.expires_ms),
    )


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
