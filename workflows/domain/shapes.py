"""The shapes in which steps and runs are told to the outside: the API, events and sockets share them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol


class StepLike(Protocol):
    key: str
    type: str
    pool: str
    state: Any
    attempts: int
    retry_at: datetime | None
    due_at: datetime | None
    reason: str
    progress: Any
    error: Any
    total: int
    completed: int
    failed: int
    started_at: datetime | None
    finished_at: datetime | None


class RunLike(Protocol):
    id: Any
    state: Any
    error: Any
    created_by: str
    priority: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


def iso(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None


def duration_ms(start: datetime | None, end: datetime | None) -> float | None:
    return round((end - start).total_seconds() * 1000, 3) if start and end else None


def step_shape(step: StepLike, *, needs: Sequence[str], running: int) -> dict[str, Any]:
    """A step without its input and output, which may be large; events carry this."""
    return {
        "id": step.key,
        "type": step.type,
        "state": str(step.state),
        "attempts": step.attempts,
        "error": step.error,
        "counts": {
            "total": step.total,
            "completed": step.completed,
            "failed": step.failed,
            "running": running,
        },
        "started_at": iso(step.started_at),
        "finished_at": iso(step.finished_at),
        "duration_ms": duration_ms(step.started_at, step.finished_at),
        "needs": list(needs),
        "pool": step.pool or None,
        "reason": step.reason or None,
        "retry_at": iso(step.retry_at),
        "due_at": iso(step.due_at),
        "progress": step.progress,
    }


def run_shape(run: RunLike, *, workflow: str, version: int, tags: Sequence[str]) -> dict[str, Any]:
    """A run without its params and output; events carry this."""
    return {
        "id": str(run.id),
        "workflow": workflow,
        "version": version,
        "state": str(run.state),
        "error": run.error,
        "tags": list(tags),
        "created_by": run.created_by,
        "priority": run.priority,
        "created_at": iso(run.created_at),
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at),
        "duration_ms": duration_ms(run.started_at, run.finished_at),
    }
