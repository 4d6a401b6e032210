"""The door to leases for programs outside."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings

from aflow_site.kernel.hang_up import HangUp
from pools.facade import site
from pools.facade.api import lease_store
from pools.facade.contracts import Invocation, InvocationResult, LeaseOutcome, LeaseView
from pools.leases.store import HeldLease
from pools.selectors import pools as selectors
from pools.services import borrowing
from pools.services import pools as services
from pools.services.borrowing import Loan, Wish

__all__ = ["Loan", "Wish", "ask", "borrow", "give_back", "keep", "list_leases", "put_back"]


def _door() -> borrowing.Door:
    return borrowing.Door(settings.REDIS_URL, site.key_prefix(), settings.SECRET_KEY)


def borrow(team_id: int, pool: str, wish: Wish, hang_up: HangUp) -> Loan:
    """A lease on a healthy agent of a pool that the team may use.

    Raises `PoolNotFound`, and `LeaseTimeout` when none came free in time or too many wait.
    Whoever hangs up gets none, and `asyncio.CancelledError` is raised.
    """
    row = services.find(team_id, pool, selectors.usable_by(team_id))
    return borrowing.borrow(_door(), row, team_id, wish, hang_up)


def put_back(loan: Loan) -> None:
    """As if it had never been asked for: the program is gone, and never learned of it."""
    borrowing.put_back(lease_store(), loan)


def keep(team_id: int, token: str) -> datetime:
    """A heartbeat; until when the lease lasts now. Raises `NotFound`."""
    return _time(borrowing.keep(lease_store(), team_id, token).expires_ms)


def give_back(team_id: int, token: str, outcome: LeaseOutcome = LeaseOutcome.OK) -> None:
    """Raises `NotFound` when it had ended before."""
    borrowing.give_back(lease_store(), team_id, token, outcome)


def ask(team_id: int, token: str, invocation: Invocation, hang_up: HangUp) -> InvocationResult:
    """One request to the leased agent. Raises `NotFound`, `LeaseLost`, `AgentLost`, `AgentTimeout`, and
    `asyncio.CancelledError` when whoever asked hangs up."""
    return borrowing.ask(_door(), lease_store(), team_id, token, invocation, hang_up)


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
