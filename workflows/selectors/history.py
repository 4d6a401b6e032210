"""What past runs tell of the next one: time, attempts and agents' time of each step, and of the whole."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from uuid import UUID

from django.conf import settings

from pools.facade import api as pools
from workflows.domain.document import Document
from workflows.domain.estimates import Sample, critical_path, spread, step_figures
from workflows.domain.states import RunState, StepState
from workflows.models import Run, Step, Workflow, WorkflowVersion

MOST_RUNS, FEWEST_RUNS = 50, 5
MOST_ROWS = 20_000  # of steps; workflows of very many steps are judged by fewer runs

_RAN = frozenset({StepState.COMPLETED, StepState.COMPENSATED, StepState.FAILED})
_OVER_ITEMS = frozenset({"map", "mapreduce"})
_CALLING = frozenset({"task", "reduce"}) | _OVER_ITEMS
_COLUMNS = ("run_id", "key", "type", "state", "attempts", "total", "usage", "started_at", "finished_at")


def estimate(workflow: Workflow, version: WorkflowVersion) -> dict[str, Any]:
    """What a run of this version will take, by the last completed runs of the workflow's versions.

    Steps are matched by id and type. Without history there is no figure, and a `reason`.
    """
    document = Document.model_validate(version.document)
    limit = max(FEWEST_RUNS, min(MOST_RUNS, MOST_ROWS // max(1, len(document.steps))))
    done = Run.objects.filter(workflow=workflow, state=RunState.COMPLETED, document__isnull=True)
    runs = list(done.order_by("-created_at").values_list("pk", "started_at", "finished_at")[:limit])
    samples = _samples(document, [pk for pk, _start, _end in runs])
    prices = _prices(workflow.team_id, [pk for pk, _start, _end in runs])
    figures = [step_figures(step, samples.get(step.id, ()), prices.get(step.id)) for step in document.steps]
    middle, slow = (critical_path(document.steps, samples, q) for q in (0.5, 0.95))
    observed = [(end - start).total_seconds() * 1000 for _pk, start, end in runs if start and end]
    known = [figure for figure in figures if figure["duration_ms"]]
    whole = {"p50": round(middle.seconds * 1000, 3), "p95": round(slow.seconds * 1000, 3)}
    return {
        "workflow": workflow.name,
        "version": version.number,
        "runs_considered": len(runs),
        "duration_ms": whole if known else None,
        "observed_ms": spread(observed),
        "agent_seconds": _sum(figures, "agent_seconds"),
        "cost": _sum(figures, "cost"),
        "currency": settings.AFLOW_CURRENCY,
        "critical_path": list(middle.steps) if known else [],
        "reason": _reason(figures, len(runs)),
        "steps": figures,
    }


def _samples(document: Document, run_ids: list[UUID]) -> dict[str, list[Sample]]:
    """By the id of the step; what ran inside a loop counts for the loop."""
    types = {step.id: step.type for step in document.steps}
    rows = list(Step.objects.filter(run__in=run_ids).order_by().values_list(*_COLUMNS))
    inside: dict[tuple[UUID, str], float] = defaultdict(float)
    for run_id, key, kind, state, _attempts, _total, usage, start, end in rows:
        loop, _, rest = key.partition(".")
        if rest and state in _RAN and start and end:
            inside[run_id, loop] += _agent_seconds(kind, usage, (end - start).total_seconds()) or 0.0
    samples: dict[str, list[Sample]] = defaultdict(list)
    for run_id, key, kind, state, attempts, total, usage, start, end in rows:
        if types.get(key) != kind:
            continue
        if state not in _RAN or not start or not end:
            samples[key].append(Sample(None))
            continue
        seconds = (end - start).total_seconds()
        agents = inside[run_id, key] if kind == "loop" else _agent_seconds(kind, usage, seconds)
        items = total if kind in _OVER_ITEMS else None
        samples[key].append(Sample(seconds, attempts, items, agents))
    return samples


def _agent_seconds(kind: str, usage: dict[str, Any], seconds: float) -> float | None:
    """How long agents were at work for a step. Where that was not counted (`busy_ms`): the time of a single
    call, and at most all of the time of every agent that a map used."""
    if kind not in _CALLING:
        return 0.0
    busy = usage.get("busy_ms")
    if isinstance(busy, int | float):
        return float(busy) / 1000
    if kind in _OVER_ITEMS:
        return seconds * len(usage["agents"]) if usage.get("agents") else None
    return seconds


def _prices(team_id: int, run_ids: list[UUID]) -> dict[str, float]:
    """Of an agent-hour in the pool that each step used last, for the steps whose pool has a price."""
    known = {pool.name: pool.price for pool in pools.list_pools(team_id) if pool.price is not None}
    used = Step.objects.filter(run__in=run_ids[:1]).exclude(pool="").values_list("key", "pool")
    return {key: known[pool] for key, pool in used if pool in known}


def _sum(figures: list[dict[str, Any]], what: str) -> dict[str, float] | None:
    known = [figure[what] for figure in figures if figure[what]]
    if not known:
        return None
    return {name: round(sum(one[name] for one in known), 6) for name in ("p50", "p95")}


def _reason(figures: list[dict[str, Any]], runs: int) -> str | None:
    """What the figures of the whole leave out."""
    if not runs:
        return "No run of this workflow has completed yet."
    unknown = [figure["id"] for figure in figures if not figure["samples"] and figure["share"] is None]
    if not unknown:
        return None
    more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
    return f"Without history, and left out of the whole: {', '.join(unknown[:5])}{more}."
