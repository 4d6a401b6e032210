"""What people ask of runs that are under way. The driver does it; these write the wish down, and tell it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from aflow_site.kernel.errors import Conflict, Fault, InvalidInput, NotFound
from workflows.domain.states import RUN_FINAL, STEP_FINAL
from workflows.models import Run, Step
from workflows.services.runs import audit_run, tell_run
from workflows.services.wakes import wake


def _locked(run_id: UUID) -> Run:
    return Run.objects.select_for_update(of=("self",)).select_related("workflow", "version").get(pk=run_id)


def _live(run_id: UUID) -> Run:
    run = _locked(run_id)
    if run.state in RUN_FINAL:
        raise Conflict(f"This run has ended already: it is {run.state}.")
    return run


def _children(run: Run) -> list[UUID]:
    live = Run.objects.filter(parent_step__run=run).exclude(state__in=RUN_FINAL)
    return list(live.values_list("pk", flat=True))


def cancel_run(run: Run, *, author: str) -> Run:
    """Asks for the run's end, and for that of the runs it started; what is under way is stopped.

    Raises Conflict when it has ended.
    """
    with transaction.atomic():
        run = _live(run.pk)
        if run.cancel_requested_at is None:
            run.cancel_requested_at = timezone.now()
            run.save(update_fields=["cancel_requested_at"])
            tell_run(run, "run.cancel_requested", by=author)
            audit_run(run, "cancelled", author)
        wake(run.pk)
    return run


def pause_run(run: Run, *, author: str) -> Run:
    """Nothing new starts from now on, here and in the runs it started; what is running finishes."""
    with transaction.atomic():
        run = _live(run.pk)
        if run.cancel_requested_at is not None:
            raise Conflict("This run is being cancelled already.")
        if run.pause_requested_at is None:
            run.pause_requested_at = timezone.now()
            run.save(update_fields=["pause_requested_at"])
            tell_run(run, "run.pause_requested", by=author)
            audit_run(run, "paused", author)
            wake(run.pk)
        children = _children(run)
    for child in Run.objects.filter(pk__in=children):
        pause_run(child, author=author)
    return run


def resume_run(run: Run, *, author: str) -> Run:
    """Goes on with a run that is paused, or about to be. Raises Conflict when it is neither."""
    with transaction.atomic():
        run = _live(run.pk)
        if run.pause_requested_at is None:
            raise Conflict(f"This run is not paused; it is {run.state}.")
        run.pause_requested_at = None
        run.save(update_fields=["pause_requested_at"])
        tell_run(run, "run.resume_requested", by=author)
        audit_run(run, "resumed", author)
        wake(run.pk)
        children = _children(run)
    for child in Run.objects.filter(pk__in=children, pause_requested_at__isnull=False):
        resume_run(child, author=author)
    return run


def prioritize_run(run: Run, priority: int, *, author: str) -> Run:
    """Changes the order in which the run is served; leases that it waits for keep their place."""
    with transaction.atomic():
        run = _live(run.pk)
        run.priority = priority
        run.save(update_fields=["priority"])
        tell_run(run, "run.prioritized", by=author)
        audit_run(run, "prioritized", author, priority=priority)
    return run


CHANGEABLE = ("max_parallel", "error_strategy", "min_success_rate")


def change_step(run: Run, key: str, changes: dict[str, Any], *, author: str) -> Step:
    """Changes `max_parallel`, `error_strategy` or `min_success_rate` of a map that has not ended.

    Raises NotFound, Conflict, or InvalidInput with every fault.
    """
    with transaction.atomic():
        run = _live(run.pk)
        step = Step.objects.select_for_update().filter(run=run, key=key).first()
        if step is None:
            raise NotFound(f"This run has no step {key}.")
        if step.type not in ("map", "mapreduce"):
            raise Conflict(f"{key} is a {step.type}; only the settings of a map can change while it runs.")
        if step.state in STEP_FINAL:
            raise Conflict(f"{key} has ended already: it is {step.state}.")
        merged = {**(step.overrides or {}), **changes}
        _check(merged)
        step.overrides = merged
        step.save(update_fields=["overrides"])
        tell_run(run, "step.changed", step=key, settings=merged, by=author)
        audit_run(run, "changed", author, step=key, settings=merged)
        wake(run.pk)
    return step


def _check(settings: dict[str, Any]) -> None:
    faults = []
    width = settings.get("max_parallel")
    if width is not None and (type(width) is not int or not 1 <= width <= 10_000):
        faults.append(Fault("max_parallel", "It is a whole number from 1 to 10,000."))
    strategy = settings.get("error_strategy")
    if strategy not in (None, "fail_fast", "continue", "continue_on_partial"):
        faults.append(Fault("error_strategy", "Use fail_fast, continue or continue_on_partial."))
    rate = settings.get("min_success_rate")
    if rate is not None and (
        not isinstance(rate, int | float) or isinstance(rate, bool) or not 0 <= rate <= 1
    ):
        faults.append(Fault("min_success_rate", "It is a number from 0 to 1."))
    sentence = f"This cannot change while the step runs; {', '.join(CHANGEABLE)} can."
    faults += [Fault(name, sentence) for name in sorted(set(settings) - set(CHANGEABLE))]
    if faults:
        raise InvalidInput("The settings are not valid.", faults=faults)
