"""A trigger going off: each occasion once, written down with what came of it, in one transaction.

The occasion's row comes first and is unique: whoever comes second, in this process or another, finds the row
of the first. A run that cannot be started makes a firing that failed, with the reason. Does not: know when a
schedule is due, how a delivery is signed, or which runs have ended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from aflow_site.kernel.errors import FlowError, InvalidInput
from workflows.domain.states import RUN_FINAL
from workflows.domain.triggers import Overlap
from workflows.domain.work import ExpressionError
from workflows.models import Firing, Run, Trigger
from workflows.services.runs import RunRequest, start_run


@dataclass(frozen=True, slots=True)
class Occasion:
    """`name` tells one time from another; see `Firing` for the rest."""

    name: str
    at: datetime
    fingerprint: str | None = None
    chain: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`repeated`: the occasion was known before, and nothing happened now. `error`: why no run was
    started."""

    firing: Firing
    repeated: bool = False
    error: FlowError | None = None


class NoParams(InvalidInput):
    code = "no_params"
    title = "The params of the run cannot be computed"


Params = Callable[[], dict[str, Any]]


def lock(trigger_id: Any) -> Trigger | None:
    """The trigger, held until the end of the transaction; None when it is off, or its workflow is gone."""
    # Only its own row: the workflow's is joined in, and may be locked by somebody who waits for this one.
    return (
        Trigger.objects.select_for_update(of=("self",))
        .select_related("workflow")
        .filter(pk=trigger_id, enabled=True, workflow__archived_at=None)
        .first()
    )


def fire(
    trigger: Trigger,
    occasion: Occasion,
    params: Params,
    *,
    overlap: Overlap = "allow",
    late: bool = False,
) -> Outcome:
    """Starts a run for this occasion, unless `overlap` says otherwise; inside the caller's transaction.

    With `overlap` the caller holds the trigger's lock. `late`: the occasion was missed, and waits its turn
    behind others that wait, where only one may wait otherwise. A failed firing is tried again.
    """
    firing, known = _row(trigger, occasion)
    if known and firing.outcome != "failed":
        return Outcome(firing, repeated=True)
    verdict = _verdict(trigger, firing, overlap, late)
    if verdict is not None:
        _write(firing, *verdict)
        return Outcome(firing)
    return _start(trigger, firing, params, occasion.detail)


def start_queued(trigger: Trigger) -> Outcome | None:
    """Starts the oldest firing that waits, when no run of the trigger is going on; the caller holds its
    lock."""
    firing = trigger.firings.filter(outcome="queued").order_by("at", "pk").first()
    if firing is None or _is_busy(trigger):
        return None
    return _start(trigger, firing, lambda: trigger.params, "")


def drop_queued(trigger: Trigger, reason: str) -> None:
    """Nothing that waits will be started any more."""
    trigger.firings.filter(outcome="queued").update(outcome="skipped", detail=reason)


def note_skipped(trigger: Trigger, occasion: Occasion) -> None:
    """Writes down that nothing was done for this occasion."""
    firing, known = _row(trigger, occasion)
    if not known:
        _write(firing, "skipped", occasion.detail)


def note_failed(trigger: Trigger, occasion: Occasion, reason: str) -> None:
    """Writes down that nothing can be done for this occasion."""
    firing, known = _row(trigger, occasion)
    if not known:
        _write(firing, "failed", reason)


def _row(trigger: Trigger, occasion: Occasion) -> tuple[Firing, bool]:
    """The occasion's row, and whether it was there before."""
    try:
        with transaction.atomic():
            firing = Firing.objects.create(
                trigger=trigger,
                occasion=occasion.name,
                fingerprint=occasion.fingerprint,
                chain=occasion.chain,
                at=occasion.at,
                outcome="failed",
                detail=occasion.detail,
            )
        return firing, False
    except IntegrityError:
        same = Q(occasion=occasion.name)
        if occasion.fingerprint is not None:
            same |= Q(fingerprint=occasion.fingerprint)
        found = trigger.firings.select_for_update().filter(same).order_by("pk").first()
        if found is None:
            raise
        return found, True


def _is_busy(trigger: Trigger) -> bool:
    return Run.objects.filter(trigger=trigger).exclude(state__in=RUN_FINAL).exists()


def _verdict(trigger: Trigger, firing: Firing, overlap: Overlap, late: bool) -> tuple[str, str] | None:
    """What becomes of the firing instead of a run: its outcome and the reason."""
    if overlap == "allow":
        return None
    waiting = trigger.firings.filter(outcome="queued").exclude(pk=firing.pk).exists()
    if not waiting and not _is_busy(trigger):
        return None
    if overlap == "skip":
        return "skipped", "The run before has not ended."
    if waiting and not late:
        return "skipped", "The run before has not ended, and another one waits for that."
    return "queued", "Waits for the end of the run before."


def _start(trigger: Trigger, firing: Firing, params: Params, detail: str) -> Outcome:
    try:
        run = run_of(trigger, params())
    except ExpressionError as exc:
        error: FlowError = NoParams(f"{exc}.")
    except FlowError as exc:
        error = exc
    else:
        firing.run = run
        _write(firing, "started", detail)
        return Outcome(firing)
    _write(firing, "failed", error.detail)
    return Outcome(firing, error=error)


def run_of(trigger: Trigger, params: dict[str, Any], *, author: str | None = None) -> Run:
    """A new run for the trigger, in the name of whoever made it (or `author`). Raises what starting
    raises."""
    asked = RunRequest(params, trigger=trigger.pk)
    name, author = trigger.workflow.name, author or trigger.created_by
    run, _new = start_run(trigger.team_id, name, asked, author=author)
    return run


def _write(firing: Firing, outcome: str, detail: str) -> None:
    firing.outcome, firing.detail = outcome, detail[:2000]
    firing.save(update_fields=["outcome", "detail", "run"])
