"""Fires schedules that are due, and firings that waited for a run before them.

A schedule is claimed by moving its `due_at` on, conditionally, in the transaction that starts its runs: of
two controllers at the same moment one fires it, and a crash before the commit leaves it due.
"""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction

from teams.facade import api as teams
from teams.facade.contracts import Via
from workflows.domain.schedules import Due, next_moment, what_is_due
from workflows.domain.shapes import iso
from workflows.domain.triggers import Kind, ScheduleConfig, read_config
from workflows.models import Firing, Trigger
from workflows.services.firings import Occasion, fire, lock, note_skipped, start_queued

log = logging.getLogger(__name__)

PAGE = 200


def fire_due(now: datetime) -> int:
    """Does what is due at `now`; how many runs were started. Called every second, by any number of
    processes."""
    with teams.acting(Via.SCHEDULE):
        return _start_waiting() + sum(_go_off(trigger_id, due, now) for trigger_id, due in _due(now))


def _due(now: datetime) -> list[tuple[UUID, datetime]]:
    found = Trigger.objects.filter(
        kind=Kind.SCHEDULE, enabled=True, due_at__lte=now, workflow__archived_at=None
    )
    page = found.order_by("due_at").values_list("pk", "due_at")[:PAGE]
    return [(pk, due) for pk, due in page if due is not None]


def _start_waiting() -> int:
    waiting = Firing.objects.filter(outcome="queued").order_by("trigger").values_list("trigger", flat=True)
    return sum(_start_next(trigger_id) for trigger_id in waiting.distinct()[:PAGE])


def _start_next(trigger_id: UUID) -> int:
    try:
        with transaction.atomic():
            trigger = lock(trigger_id)
            outcome = start_queued(trigger) if trigger else None
    except (InterfaceError, OperationalError):
        raise  # the database is away: it goes on waiting
    except Exception as exc:
        log.exception("what waits for trigger %s cannot be started", trigger_id)
        first = Firing.objects.filter(trigger=trigger_id, outcome="queued").order_by("at", "pk")
        Firing.objects.filter(pk__in=[firing.pk for firing in first[:1]]).update(
            outcome="failed", detail=_our_fault(exc)
        )
        return 0
    return int(outcome is not None and outcome.error is None)


def _our_fault(exc: Exception) -> str:
    return f"Our fault: {type(exc).__name__}."


def _go_off(trigger_id: UUID, due: datetime, now: datetime) -> int:
    try:
        with transaction.atomic():
            return _fire_schedule(trigger_id, due, now)
    except (InterfaceError, OperationalError):
        raise  # the database is away: it stays due
    except Exception as exc:
        log.exception("schedule %s cannot be fired", trigger_id)
        _give_up(trigger_id, due, now, exc)
    return 0


def _claim(trigger_id: UUID, due: datetime, now: datetime) -> tuple[Trigger, ScheduleConfig] | None:
    """Moves the schedule on to its next moment; None when somebody else did, or it was changed."""
    trigger = lock(trigger_id)
    if trigger is None or trigger.due_at != due:
        return None
    config = read_config(Kind.SCHEDULE, trigger.config)
    assert isinstance(config, ScheduleConfig)
    trigger.due_at = next_moment(config.cron, config.timezone, now)
    taken = Trigger.objects.filter(pk=trigger_id, enabled=True, due_at=due).update(due_at=trigger.due_at)
    return (trigger, config) if taken else None


def _fire_schedule(trigger_id: UUID, due: datetime, now: datetime) -> int:
    claimed = _claim(trigger_id, due, now)
    if claimed is None:
        return 0
    trigger, config = claimed
    plan = what_is_due(config.cron, config.timezone, config.catch_up, due, now)
    _note_missed(trigger, plan, now)
    started = 0
    for moment in plan.fire:
        outcome = fire(
            trigger,
            Occasion(_name(moment), now),
            lambda: trigger.params,
            overlap=config.overlap,
            late=moment in plan.late and config.catch_up == "all",
        )
        started += outcome.firing.outcome == "started" and not outcome.repeated
    return started


def _name(moment: datetime) -> str:
    return iso(moment) or ""


def _note_missed(trigger: Trigger, plan: Due, now: datetime) -> None:
    if plan.last_missed is None:
        return
    count = f"more than {plan.missed}" if plan.many else str(plan.missed)
    detail = f"Missed while nothing looked at schedules: {count} moments up to this one."
    note_skipped(trigger, Occasion(_name(plan.last_missed), now, detail=detail))


def _give_up(trigger_id: UUID, due: datetime, now: datetime, exc: Exception) -> None:
    """A fault of ours: the schedule goes on with its next moment, rather than failing every second."""
    with transaction.atomic():
        claimed = _claim(trigger_id, due, now)
        if claimed is None:
            return
        Firing.objects.get_or_create(
            trigger=claimed[0],
            occasion=_name(due),
            defaults={"at": now, "outcome": "failed", "detail": _our_fault(exc)},
        )
