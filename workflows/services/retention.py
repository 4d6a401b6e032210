"""Deletes what is older than it is kept: ended runs with all that was recorded of them, firings, audit
entries, state that has expired, artifacts that no run uses, and pools of workflows that are gone.

Everything goes in pages, each statement a short transaction of its own; a run's row goes last, so that what
an interrupted round left is found by the next one. A run goes together with the runs that its steps started,
and stays as long as one of them is not over.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models, transaction

from aflow_site.kernel.clock import system_clock
from pools.facade import api as pools
from teams.facade import api as teams
from workflows.domain.states import RUN_FINAL
from workflows.models import (
    ArtifactUse,
    Event,
    Firing,
    Item,
    LogLine,
    Run,
    RunMessage,
    RunTag,
    RunValue,
    Step,
    Workflow,
)
from workflows.services import artifacts, past_ends
from workflows.services.step_pools import end_pools

PAGE = 200  # runs
CHUNK = 2000  # other rows in one statement
ARTIFACTS = 50
UNFINISHED = timedelta(days=1)

# What hangs on a run, and by which field; steps last, for their items hang on them.
_PARTS: tuple[tuple[type[models.Model], str], ...] = (
    (LogLine, "run"),
    (Event, "run"),
    (Item, "step__run"),
    (RunMessage, "run"),
    (RunValue, "run"),
    (ArtifactUse, "run"),
    (RunTag, "run"),
    (Step, "run"),
)


class _Time:
    """What is left of the seconds of one round."""

    def __init__(self, seconds: float) -> None:
        self._end = system_clock.monotonic() + seconds

    @property
    def is_up(self) -> bool:
        return system_clock.monotonic() >= self._end


def tidy(now: datetime, budget: float) -> bool:
    """Deletes for about `budget` seconds; whether there is more to delete. May run anywhere, any number at
    once."""
    time = _Time(budget)
    duties: list[Callable[[datetime, _Time], bool]] = [_values, _runs, _firings, _audit_entries]
    while duties and not time.is_up:
        duties = [duty for duty in duties if duty(now, time)]
    if duties:
        return True
    # Dearer to find out, and in no hurry: when nothing else is left to do.
    _leftover_pools()
    artifacts.remove_unfinished(now - UNFINISHED)
    while artifacts.remove_unused(ARTIFACTS) == ARTIFACTS:
        if time.is_up:
            return True
    return False


def is_past(run: Run, now: datetime) -> bool:
    """Whether the run may be deleted at any moment: nothing may be begun with it any more."""
    days = teams.limits_of(run.team_id).retention_days or settings.AFLOW_RETENTION_DAYS
    if run.finished_at is None or not days or run.tags.filter(tag=settings.AFLOW_KEEP_TAG).exists():
        return False
    return run.finished_at < now - timedelta(days=days)


def _cutoffs(now: datetime) -> dict[datetime, list[int]]:
    """Before which moment runs are old, for which teams."""
    found: dict[datetime, list[int]] = defaultdict(list)
    for team in teams.all_limits():
        days = team.retention_days or settings.AFLOW_RETENTION_DAYS
        if days:
            found[now - timedelta(days=days)].append(team.team_id)
    return found


def _runs(now: datetime, time: _Time) -> bool:
    more = False
    for cutoff, team_ids in _cutoffs(now).items():
        old = Run.objects.filter(
            team_id__in=team_ids, state__in=RUN_FINAL, finished_at__lt=cutoff, parent_step__isnull=True
        ).exclude(tags__tag=settings.AFLOW_KEEP_TAG)
        page = list(old.order_by("finished_at").values_list("pk", flat=True)[:PAGE])
        more |= len(page) == PAGE
        if page and not _delete_runs(_with_descendants(page), time):
            return True
    return more


def _with_descendants(roots: list[UUID]) -> list[UUID]:
    """The runs, and those below them, the lowest first; without those of which one below is not over."""
    families = {root: [root] for root in roots}
    level = {root: root for root in roots}  # run -> its root
    while level:
        children = Run.objects.filter(parent_step__run__in=list(level))
        below: dict[UUID, UUID] = {}
        for pk, parent, state in children.values_list("pk", "parent_step__run", "state"):
            root = level[parent]
            if state not in RUN_FINAL:
                families.pop(root, None)
            elif root in families:
                families[root].append(pk)
                below[pk] = root
        level = below
    return [run for family in families.values() for run in reversed(family)]


def _delete_runs(run_ids: list[UUID], time: _Time) -> bool:
    """Whether there was time enough for all of it."""
    for start in range(0, len(run_ids), PAGE):
        page = run_ids[start : start + PAGE]
        for model, field in _PARTS:
            while _delete_chunk(model, {f"{field}__in": page}):
                if time.is_up:
                    return False
        _delete_rows(page)
        if time.is_up:
            return start + PAGE >= len(run_ids)
    return True


def _delete_rows(run_ids: list[UUID]) -> None:
    with transaction.atomic():
        rows = Run.objects.select_for_update().filter(pk__in=run_ids, state__in=RUN_FINAL)
        ended = dict(rows.values_list("pk", "state"))
        past_ends.keep(Counter(ended.values()))
        Run.objects.filter(pk__in=list(ended)).delete()


def _delete_chunk(model: type[models.Model], where: dict[str, Any]) -> bool:
    """One statement's worth; whether there may be more."""
    rows = model._default_manager
    page = list(rows.filter(**where).order_by().values_list("pk", flat=True)[:CHUNK])
    if page:
        rows.filter(pk__in=page).delete()
    return len(page) == CHUNK


def _values(now: datetime, _time: _Time) -> bool:
    return _delete_chunk(RunValue, {"expires_at__lte": now})


def _firings(now: datetime, _time: _Time) -> bool:
    more = False
    over = ("started", "skipped", "failed")
    for cutoff, team_ids in _cutoffs(now).items():
        where = {"trigger__team_id__in": team_ids, "at__lt": cutoff, "outcome__in": over}
        more |= _delete_chunk(Firing, where)
    return more


def _audit_entries(now: datetime, _time: _Time) -> bool:
    days = settings.AFLOW_AUDIT_DAYS
    return bool(days) and teams.forget_audit(now - timedelta(days=days), CHUNK) == CHUNK


def _leftover_pools() -> None:
    """Ends the pools of workflows that were deleted while they had runs."""
    gone = Workflow.objects.filter(archived_at__isnull=False)
    for team_id in gone.order_by("team").values_list("team", flat=True).distinct():
        names = {
            pool.workflow
            for pool in pools.list_pools(team_id)
            if pool.workflow is not None and pool.team_id == team_id
        }
        there = Workflow.objects.filter(team=team_id, name__in=names, archived_at=None)
        live = Run.objects.filter(team=team_id, workflow__name__in=names).exclude(state__in=RUN_FINAL)
        used = {*there.values_list("name", flat=True), *live.values_list("workflow__name", flat=True)}
        for name in sorted(names - used):
            end_pools(team_id, name)
