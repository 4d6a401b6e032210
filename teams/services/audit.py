"""Who did what, to which thing, from where: entries in the caller's own transaction.

Services say what was done. Which way the request came in, and from which address, is known from its start on
(`acting`, set by the middleware and the ways to sign in), so that nobody has to hand it through.
Does not: decide who may read entries, or look into `details` for secrets: callers put none there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from django.utils import timezone

from teams.domain.origin import Origin, Via
from teams.models import AuditEntry

_NOBODY = Origin()
_origin: ContextVar[Origin] = ContextVar("origin", default=_NOBODY)


@contextmanager
def acting(via: Via, address: str | None = None) -> Iterator[None]:
    """What happens inside came in this way; `address` None keeps the one that is known already."""
    before = _origin.get()
    _origin.set(Origin(via, before.address if address is None else address))
    try:
        yield
    finally:
        _origin.set(before)


def came_by(via: Via) -> None:
    """Says how the present request signed in; its address stays."""
    _origin.set(Origin(via, _origin.get().address))


def audit(
    team_id: int,
    *,
    actor: str,
    action: str,
    target: str,
    details: Mapping[str, Any] | None = None,
    via: Via | None = None,
    address: str | None = None,
) -> None:
    """One entry, as part of the transaction that does what it tells of.

    `action` is `thing.verb` (``workflow.saved``), `target` is `thing/name` (``workflow/nightly``); `details`
    is JSON without secrets. `via` and `address` are the present request's when they are left out.
    """
    origin = _origin.get()
    AuditEntry.objects.create(
        team_id=team_id,
        at=timezone.now(),
        actor=actor[:150],
        via=via or origin.via,
        address=origin.address if address is None else address,
        action=action,
        target=target[:255],
        details=dict(details or {}),
    )


def forget_audit(before: datetime, limit: int) -> int:
    """Deletes up to `limit` entries older than that; how many there were."""
    # Entries are numbered as they come: the oldest are the first, without an index by age.
    first = AuditEntry.objects.order_by("pk").values_list("pk", "at")[:limit]
    deleted, _ = AuditEntry.objects.filter(pk__in=[pk for pk, at in first if at < before]).delete()
    return deleted
