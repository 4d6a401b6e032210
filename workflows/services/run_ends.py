"""Ends of runs that start other runs.

The engine tells of each end; a sweep over recent ends finds those it could not tell of. An end is known by
its moment: a run that was retried ends anew. Chains of runs that start each other are cut at `MAX_CHAIN`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet

from workflows.domain.shapes import iso
from workflows.domain.states import RUN_FINAL
from workflows.domain.triggers import MAX_CHAIN, EventConfig, Kind, params_from, read_config
from workflows.models import Firing, Run, Trigger
from workflows.selectors import artifacts
from workflows.services.firings import Occasion, fire, lock, note_failed

log = logging.getLogger(__name__)

# How long after its moment an end is still looked for: its commit may have waited for the database.
SETTLING = timedelta(minutes=5)
PAGE = 500


def on_run_ended(run_id: UUID) -> int:
    """Fires the triggers that wait for this end; how many runs were started. May be called any number of
    times, by anybody, outside a transaction; a run that has not ended fires nothing."""
    run = _ended().select_related("workflow", "version").filter(pk=run_id).first()
    if run is None:
        return 0
    waiting = Trigger.objects.filter(
        team=run.team_id,
        kind=Kind.EVENT,
        enabled=True,
        config__workflow=run.workflow.name,
        since__lt=run.finished_at,
    )
    states = waiting.values_list("pk", "config")
    return sum(_fire_safely(pk, run) for pk, config in states if run.state in config["states"])


def look_at_ends(now: datetime) -> int:
    """Finds ends that nobody told of; how many runs were started."""
    triggers = Trigger.objects.filter(kind=Kind.EVENT, enabled=True, workflow__archived_at=None)
    return sum(_look_for(trigger, now) for trigger in triggers.order_by("pk"))


def _ended() -> QuerySet[Run]:
    """Not among them: trials of one step, which are nobody's run."""
    return Run.objects.filter(state__in=RUN_FINAL, finished_at__isnull=False, document__isnull=True)


def _look_for(trigger: Trigger, now: datetime) -> int:
    config = read_config(Kind.EVENT, trigger.config)
    assert isinstance(config, EventConfig)
    if trigger.since is None:
        return 0
    ends = _ended().filter(
        team=trigger.team_id,
        workflow__name=config.workflow,
        state__in=config.states,
        finished_at__gt=trigger.since,
        finished_at__lte=now,
    )
    page = list(ends.order_by("finished_at").values_list("pk", "state", "finished_at")[:PAGE])
    names = {_name(pk, state, at): pk for pk, state, at in page if at is not None}
    known = set(trigger.firings.filter(occasion__in=list(names)).values_list("occasion", flat=True))
    started = 0
    for name, run_id in names.items():
        if name not in known:
            run = Run.objects.select_related("workflow", "version").get(pk=run_id)
            started += _fire_safely(trigger.pk, run)
    _move_on(trigger, page[-1][2] if len(page) == PAGE else None, now)
    return started


def _move_on(trigger: Trigger, last: datetime | None, now: datetime) -> None:
    """`last`: the end of a full page's last run; the next page begins with it."""
    until = now - SETTLING
    if last is not None:
        until = min(until, last - timedelta(microseconds=1))
    if trigger.since is not None and until > trigger.since:
        Trigger.objects.filter(pk=trigger.pk, since=trigger.since).update(since=until)


def _name(run_id: UUID, state: str, at: datetime) -> str:
    return f"{run_id}:{state}:{iso(at)}"


def _fire_safely(trigger_id: UUID, run: Run) -> int:
    try:
        with transaction.atomic():
            return _fire(trigger_id, run)
    except (InterfaceError, OperationalError):
        raise  # the database is away: the sweep comes back to it
    except Exception:
        log.exception("trigger %s cannot be fired for run %s", trigger_id, run.pk)
    return 0


def _fire(trigger_id: UUID, run: Run) -> int:
    trigger = lock(trigger_id)
    if trigger is None or run.finished_at is None:
        return 0
    config = read_config(Kind.EVENT, trigger.config)
    assert isinstance(config, EventConfig)
    occasion = Occasion(
        name=_name(run.pk, run.state, run.finished_at),
        at=run.finished_at,
        chain=_chain_of(run) + 1,
        detail=f"Run {run.pk} of {run.workflow.name} is {run.state}.",
    )
    if occasion.chain > MAX_CHAIN:
        reason = (
            f"{occasion.detail} {MAX_CHAIN} runs before it started each other so: this looks like a loop."
        )
        note_failed(trigger, occasion, reason)
        return 0
    outcome = fire(
        trigger, occasion, lambda: params_from(config.map, trigger.params, _scope(run, config.map))
    )
    return int(outcome.firing.outcome == "started" and not outcome.repeated)


def _chain_of(run: Run) -> int:
    """How many runs before this one started the next by their ends; a sub-workflow's run is its parent's."""
    current: Run | None = run
    while current is not None:
        firing = Firing.objects.filter(run=current).order_by("pk").first()
        if firing is not None:
            return firing.chain
        parent = current.parent_step
        current = parent.run if parent is not None else None
    return 0


def _scope(run: Run, mapping: Mapping[str, Any] | None) -> dict[str, Any]:
    """What `map` may read; without one nothing is, and a large output need not be fetched."""
    return {
        "run": {
            "id": str(run.pk),
            "workflow": run.workflow.name,
            "version": run.version.number,
            "state": run.state,
            "params": run.params,
            "output": artifacts.value_of(run.team_id, run.output) if mapping else None,
            "error": run.error,
            "tags": list(run.tags.values_list("tag", flat=True)),
            "created_at": iso(run.created_at),
            "started_at": iso(run.started_at),
            "finished_at": iso(run.finished_at),
        }
    }
