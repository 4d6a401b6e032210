"""Why something is not running: one sentence for people, and the facts behind it for programs.

A reason is `{"code", "sentence", "facts"}`. Codes: `running`, `ended`, `paused`, `cancelling`, `starting`,
`no_executor`, `limit`, `budget`, `needs`, `retry`, `cold_start`, `pool_full`, `pool_broken`, `pool_drained`,
`turn`, `approval`, `time`, `event`, `child`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from pools.facade import api as pools
from pools.facade.contracts import PoolNotFound
from workflows.domain.shapes import iso
from workflows.domain.states import BUDGET, RUN_FINAL, STEP_FINAL, RunState, StepState
from workflows.models import Item, Run, Step
from workflows.selectors import limits
from workflows.selectors.health import live_executors
from workflows.selectors.needs import Needs
from workflows.selectors.runs import document_of, needs_in

Reason = dict[str, Any]


def _reason(code: str, sentence: str, **facts: Any) -> Reason:
    return {"code": code, "sentence": sentence, "facts": facts}


def why_run(run: Run) -> Reason:
    if run.state in RUN_FINAL:
        return _reason("ended", f"The run has ended: it is {run.state}.", state=run.state)
    if run.cancel_requested_at is not None:
        return _reason("cancelling", "The run is being cancelled.", at=iso(run.cancel_requested_at))
    if run.state == RunState.PAUSED or run.pause_requested_at is not None:
        return _reason(
            "paused", "The run is paused; nothing starts until it is resumed.", at=iso(run.pause_requested_at)
        )
    if run.state == RunState.PENDING:
        return _why_pending(run)
    waiting = list(Step.objects.filter(run=run, state=StepState.WAITING).order_by("position", "id"))
    if run.state == RunState.WAITING and waiting:
        return why_step(run, waiting[0])
    held_up = Step.objects.filter(run=run, reason=BUDGET).exclude(state__in=STEP_FINAL)
    if run.state == RunState.WAITING and (first := held_up.order_by("position", "id").first()):
        return why_step(run, first)
    return _reason("running", "The run is under way.", state=run.state)


def _why_pending(run: Run) -> Reason:
    limit = limits.full_limit(run.pk)
    if limit is not None:
        ahead = (
            Run.objects.filter(state=RunState.PENDING, team_id=run.team_id, priority__gte=run.priority)
            .exclude(pk=run.pk)
            .exclude(priority=run.priority, created_at__gte=run.created_at)
            .count()
        )
        whose = {"workflow": "this workflow", "team": "this team", "platform": "the platform"}[limit.scope]
        sentence = (
            f"{limit.used} of {limit.limit} runs of {whose} are under way; {ahead} wait before this one."
        )
        return _reason("limit", sentence, scope=limit.scope, limit=limit.limit, used=limit.used, ahead=ahead)
    if not live_executors():
        return _reason("no_executor", "No executor is alive; the platform's supervisor starts them again.")
    return _reason("starting", "An executor will take the run up in a moment.")


def why_step(run: Run, step: Step) -> Reason:
    state = StepState(step.state)
    if state in STEP_FINAL:
        return _reason("ended", f"The step has ended: it is {state}{_because(step)}.", state=state)
    if state is StepState.WAITING:
        return _why_waiting(step)
    if run.state not in (RunState.RUNNING, RunState.WAITING):
        return why_run(run)
    if state is StepState.PENDING:
        return _why_needs(run, step)
    if state is StepState.RUNNING and step.reason != BUDGET:
        return _why_running(step)
    if run.pause_requested_at is not None:
        return why_run(run)
    if step.reason == BUDGET:
        return _why_budget(run, step)
    if step.retry_at is not None and step.retry_at > timezone.now():
        return _why_retry(step.retry_at, step.attempts, step.error)
    return _why_pool(run, step)


_REASONS = {
    "condition": "its condition did not hold",
    "branch": "no branch chose it",
    "needs_skipped": "all that it needs was skipped",
    "failure": "a step before it failed",
    "not_needed": "nothing had to be undone",
    "cancelled": "the run was cancelled",
}


def _because(step: Step) -> str:
    return f", because {_REASONS[step.reason]}" if step.reason in _REASONS else ""


def _why_waiting(step: Step) -> Reason:
    asked, due = step.input or {}, step.due_at
    until = f", until {_clock(due)}" if due else ""
    if step.type == "approval":
        whom = asked.get("approvers") or []
        sentence = f"{', '.join(whom)} must decide{until}: {asked.get('prompt') or 'approve or reject'}"
        return _reason("approval", sentence, approvers=whom, due_at=iso(due))
    if "event" in asked:
        return _reason(
            "event", f"It waits for the event {asked['event']}{until}.", event=asked["event"], due_at=iso(due)
        )
    return _reason("time", f"It waits until {_clock(due)}." if due else "It waits.", due_at=iso(due))


def _why_needs(run: Run, step: Step) -> Reason:
    prefix, _, own = step.key.rpartition(".")
    prefix = f"{prefix}." if prefix else ""
    wanted = [prefix + need for need in needs_in(document_of(run)).get(own, ())]
    rows = Step.objects.filter(run=run, key__in=wanted).exclude(state__in=STEP_FINAL)
    open_needs = [{"id": key, "state": state} for key, state in rows.values_list("key", "state")]
    if not open_needs:
        return _reason("turn", "Its turn comes when the steps before it in the order of undoing have ended.")
    names = ", ".join(f"{need['id']} ({need['state']})" for need in open_needs)
    return _reason("needs", f"It waits for {names}.", needs=open_needs)


def _why_running(step: Step) -> Reason:
    if step.type == "workflow":
        child = Run.objects.filter(parent_step=step).order_by("-parent_attempt").first()
        if child is not None and child.state not in RUN_FINAL:
            sentence = f"Run {child.pk} of the sub-workflow is {child.state}."
            return _reason("child", sentence, run=str(child.pk), state=child.state)
    return _reason("running", "The step is running.", agent=str(step.agent_id) if step.agent_id else None)


def _why_budget(run: Run, step: Step) -> Reason:
    """That no budget is enough for what a call may cost until its time-out."""
    needs = Needs().of(run, step)
    if not needs:
        return _why_pool(run, step)
    short = [one for one in needs if one.found and (not one.can_be_met or any(map(one.is_short, one.found)))]
    need = (short or needs)[0]
    facts = {"budgets": need.found, "timeout": need.timeout, "cost": round(need.cost, 6)}
    if not need.found:
        return _reason("budget", "It waited for a budget, and goes on in a moment.", **facts)
    first = need.found[0]
    if not need.stated:
        sentence = (
            f"The step states no time-out, so nobody can say what it may cost at most, and the budget of "
            f"{first['text']} does not admit it: set a timeout, or the budget's mode to audit."
        )
        return _reason("budget", sentence, **facts)
    if not need.can_be_met:
        sentence = (
            f"A call may cost {need.cost:.6g} until its time-out of {need.timeout:g} s, which is more than "
            f"the whole budget of {first['text']}: raise the limit, or shorten the time-out."
        )
        return _reason("budget", sentence, **facts)
    money = f"{first['spent']} is spent and {first['reserved']} reserved"
    sentence = (
        f"The budget of {first['text']} has not enough left: {money}; a call may cost {need.cost:.6g} until "
        f"its time-out of {need.timeout:g} s. It goes on when calls end, the limit is raised, or at "
        f"{first['ends_at']}."
    )
    return _reason("budget", sentence, **facts)


def _why_retry(at: datetime, attempts: int, error: dict[str, Any] | None) -> Reason:
    left = max(0.0, (at - timezone.now()).total_seconds())
    after = f", after {error['type']}: {error['message']}" if error else ""
    sentence = f"Attempt {attempts + 1} starts at {_clock(at)}, in {left:.0f} s{after[:300]}."
    return _reason("retry", sentence, at=iso(at), attempt=attempts + 1, error=error)


def _why_pool(run: Run, step: Step) -> Reason:
    try:
        pool = pools.get_pool(run.team_id, step.pool)
    except PoolNotFound:
        sentence = f"There is no pool {step.pool} any more; save the workflow again to make it."
        return _reason("pool_broken", sentence, pool=step.pool)
    states = dict(pool.states)
    facts = {"pool": pool.name, "states": states, "waiting": pool.waiting, "max_size": pool.max_size}
    serving = states.get("idle", 0) + states.get("active", 0)
    if pool.drained:
        return _reason("pool_drained", f"Pool {pool.name} is drained; somebody must resume it.", **facts)
    if pool.problem is not None and not serving:
        return _reason("pool_broken", f"Pool {pool.name} has no agent: {pool.problem}", **facts)
    place = pools.place_in_queue(pool.id, f"{run.pk}/{step.key}/")
    facts["position"] = place
    if place is None:
        return _reason("turn", "The run's own limit of parallel calls is reached.", **facts)
    if not serving:
        return _reason("cold_start", f"Pool {pool.name} is starting its first agents.", **facts)
    size = sum(states.values())
    full = f"all {size} agents are at work" if size >= pool.max_size else "more agents are starting"
    estimate = None if pool.wait_p50_ms is None else round(pool.wait_p50_ms / 1000 * place, 1)
    facts["estimate_seconds"] = estimate
    guess = f", about {estimate:g} s" if estimate else ""
    return _reason("pool_full", f"Number {place} in the queue of pool {pool.name}{guess}: {full}.", **facts)


def why_item(run: Run, step: Step, index: int) -> Reason:
    item = Item.objects.filter(step=step, index=index).first()
    if item is None:
        if step.state in STEP_FINAL or step.state != StepState.RUNNING:
            return why_step(run, step)
        begun = Item.objects.filter(step=step).count()
        sentence = f"Its turn comes after {index - begun} other items: {begun} of {step.total} have begun."
        return _reason("turn", sentence, ahead=max(0, index - begun), total=step.total)
    state = StepState(item.state)
    if state in STEP_FINAL:
        return _reason("ended", f"The item has ended: it is {state}.", state=state)
    if state is StepState.RUNNING:
        return _reason("running", "The item is running.", agent=str(item.agent_id))
    if item.retry_at is not None and item.retry_at > timezone.now():
        return _why_retry(item.retry_at, item.attempts, item.error)
    return _why_pool(run, step) if run.state == RunState.RUNNING else why_run(run)


def _clock(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC") if at else "?"
