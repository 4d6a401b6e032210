"""Tells the ledger what runs were at work for: at their end, and of workflows that have a budget as they go;
each piece once, together with a note of it. And wakes runs that wait for a budget when there is enough of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from aflow_site.kernel.clock import system_clock
from pools.facade import api as pools
from pools.facade.contracts import PoolView
from scaling.facade import budgets
from scaling.facade.contracts import Worked
from workflows.domain.states import BUDGET, RUN_FINAL, STEP_FINAL, RunState
from workflows.models import Run, Step
from workflows.selectors.needs import Needs
from workflows.services.nudges import nudge

PAGE = 200  # runs in one transaction
MOST_PAGES = 5  # at a time: the controller has other duties
WOKEN = 20  # runs of a team at a time: the highest priority first
MOST_RESTING = 200  # runs and steps that are looked at

Spent = dict[str, list[float]]


def keep_accounts(now: datetime) -> int:
    """Everything once; how many runs were charged."""
    charged = 0
    for _ in range(MOST_PAGES):
        charged += (page := charge_page(now))
        if page < PAGE:
            break
    _charge_live()
    budgets.tell_resting(_wake(now), system_clock.monotonic())
    return charged


def charge_page(now: datetime) -> int:
    """Charges up to `PAGE` runs that have ended."""
    ended = Run.objects.filter(charged_at=None, finished_at__isnull=False, state__in=RUN_FINAL)
    ids = list(ended.order_by("finished_at").values_list("pk", flat=True)[:PAGE])
    with transaction.atomic():
        runs = list(
            Run.objects.select_for_update().select_related("workflow").filter(pk__in=ids, charged_at=None)
        )
        _charge(runs)
        Run.objects.filter(pk__in=[run.pk for run in runs]).update(charged_at=now)
    return len(runs)


def charge_run(run: Run) -> None:
    """Now, in the caller's transaction, which holds the run's row."""
    _charge([run])


def spent_of(run: Run) -> Spent:
    return _spent([run.pk]).get(run.pk, {})


def _charge(runs: Iterable[Run]) -> None:
    rows = list(runs)
    spent, known = _spent([run.pk for run in rows]), _Pools()
    work = []
    for run in rows:
        now_spent = spent.get(run.pk, {})
        for pool, (ms, nanos) in now_spent.items():
            before = run.charged.get(pool, [0, 0])
            new_ms, new_nanos = round(ms - before[0]), round(nanos - before[1])
            if new_ms > 0 or new_nanos > 0:
                at = run.finished_at or timezone.now()
                work.append(known.work(run.team_id, run.workflow.name, pool, at, new_ms, new_nanos))
        if now_spent != run.charged:
            run.charged = now_spent
            Run.objects.filter(pk=run.pk).update(charged=now_spent)
    budgets.charge(work)


def _spent(run_ids: Iterable[UUID]) -> dict[UUID, Spent]:
    sums: dict[UUID, Spent] = defaultdict(dict)
    steps = Step.objects.filter(run_id__in=list(run_ids)).exclude(usage={})
    for run_id, usage in steps.values_list("run_id", "usage"):
        for pool, (ms, nanos) in usage.get("spent", {}).items():
            entry = sums[run_id].setdefault(pool, [0.0, 0])
            entry[0] = round(entry[0] + ms, 3)
            entry[1] += nanos
    return sums


class _Pools:
    """Whose pools they are that a team's steps name."""

    def __init__(self) -> None:
        self._seen: dict[int, dict[str, PoolView]] = {}

    def work(self, team: int, workflow: str, pool: str, at: datetime, ms: int, nanos: int) -> Worked:
        found = self._find(team, pool)
        owner, own = (found.team_id, found.workflow == workflow) if found else (team, False)
        return Worked(team, owner, workflow, pool, own and owner == team, at, ms, nanos)

    def _find(self, team: int, pool: str) -> PoolView | None:
        if team not in self._seen:
            # Its own come first where names are equal.
            self._seen[team] = {view.name: view for view in reversed(pools.list_pools(team))}
        return self._seen[team].get(pool)


def _charge_live() -> None:
    """What runs that have not ended were at work for so far, of workflows that have a budget."""
    wanted = budgets.workflows_with_budgets()
    if not wanted:
        return
    live = Run.objects.filter(finished_at=None, workflow__name__in={name for _, name in wanted})
    pairs = live.values_list("pk", "team_id", "workflow__name")
    ids = [pk for pk, team_id, name in pairs if (team_id, name) in wanted]
    for start in range(0, len(ids), PAGE):
        with transaction.atomic():
            rows = Run.objects.select_for_update().select_related("workflow")
            _charge(rows.filter(pk__in=ids[start : start + PAGE]))


def _wake(now: datetime) -> dict[UUID, float]:
    """Wakes runs that rest until budgets have enough for their next call, in their order and not all at once;
    which budgets others rest for, and what the first of their calls may cost. Nobody is passed: once a call
    has to wait for a budget, those after it do."""
    parked = Run.objects.filter(parked=True, state__in=(RunState.WAITING, RunState.RUNNING))
    ids = parked.order_by("-priority", "created_at").values_list("pk", flat=True)[:MOST_RESTING]
    held = Step.objects.filter(run_id__in=list(ids), reason=BUDGET).exclude(state__in=STEP_FINAL)
    woken: dict[int, int] = defaultdict(int)
    resting: dict[UUID, float] = {}
    needs = Needs()
    rows = held.select_related("run__version", "run__workflow")
    for step in rows.order_by("-run__priority", "run__created_at", "position")[:MOST_RESTING]:
        run = step.run
        for need in needs.of(run, step):
            if not need.can_be_met:
                break
            short = [one for one in need.found if need.is_short(one) or one["id"] in resting]
            for one in short:
                resting.setdefault(one["id"], need.cost)
            if short:
                break
        else:
            woken[run.team_id] += 1
            if woken[run.team_id] <= WOKEN and parked.filter(pk=run.pk, wake_at__gt=now).update(wake_at=now):
                nudge(run.pk)
    return resting
