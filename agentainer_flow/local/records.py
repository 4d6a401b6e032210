"""How the steps and items of a local run stand, in the shapes of the REST API."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Error = dict[str, Any]  # {"type", "message", "traceback"}


def error_of(kind: str, message: str, traceback: str | None = None) -> Error:
    return {"type": kind, "message": message, "traceback": traceback}


@dataclass(slots=True)
class ItemRecord:
    index: int
    value: Any
    state: str = "queued"
    attempts: int = 0
    output: Any = None
    error: Error | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "index": self.index,
            "state": self.state,
            "attempts": self.attempts,
            "output": self.output,
            "error": self.error,
            "agent": None,
        }


@dataclass(slots=True)
class StepRecord:
    """`key`: the step's id; inside a loop `loop.0.id`. `reason`: why it was skipped. `ended`: its place among
    the ends of all steps. `progress`: what its body told last."""

    key: str
    type: str
    state: str = "pending"
    attempts: int = 0
    input: Any = None
    output: Any = None
    error: Error | None = None
    reason: str | None = None
    progress: Any = None
    ended: int = 0
    running: int = 0
    completed: int = 0
    failed: int = 0
    items: list[ItemRecord] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.key.rpartition(".")[2]

    @property
    def failures(self) -> list[dict[str, Any]]:
        return [{"index": i.index, "error": i.error} for i in self.items if i.state == "failed"]

    def as_dict(self) -> dict[str, Any]:
        counts = {
            "total": len(self.items),
            "completed": self.completed,
            "failed": self.failed,
            "running": self.running,
        }
        return {
            "id": self.key,
            "type": self.type,
            "state": self.state,
            "attempts": self.attempts,
            "output": self.output,
            "error": self.error,
            "reason": self.reason,
            "progress": self.progress,
            "counts": counts,
        }
