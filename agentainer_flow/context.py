"""What a step's body may know about the call it serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# Names of the finished product that this version does not have; asking for one says so.
_PLANNED = frozenset(
    {
        "deploy_agent",
        "emit_progress",
        "metric",
        "parallel_context",
        "progress",
        "run_workflow",
        "secrets",
        "state",
    }
)

Log = Callable[[str, str], None]  # (stream, text)


class Context:
    """The first argument of a handler or of an SDK step, and the second of a custom agent's function.

    `run_id`, `step_id`: text, empty outside a run. `item_index`: the item's place in a map (0-based), None
    elsewhere. `attempt`: 1 for the first try. `params`: the run's params. `input`: the step's input as JSON.
    `deadline`: seconds since 1970 at which the call is stopped, None without a time-out.
    """

    __slots__ = ("_log", "attempt", "deadline", "input", "item_index", "params", "run_id", "step_id")

    def __init__(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        input: Any = None,  # noqa: A002
        params: Mapping[str, Any] | None = None,
        log: Log | None = None,
    ) -> None:
        given = values or {}
        self.run_id: str = str(given.get("run_id") or "")
        self.step_id: str = str(given.get("step_id") or "")
        self.item_index: int | None = given.get("item_index")
        self.attempt: int = given.get("attempt") or 1
        self.deadline: float | None = given.get("deadline")
        self.input: Any = input
        self.params: dict[str, Any] = dict(params or {})
        self._log = log

    def log(self, *values: object) -> None:
        """Writes a line to the run's log; `values` are joined by spaces, as `print` does."""
        text = " ".join(str(value) for value in values)
        if self._log is None:
            print(text)
        else:
            self._log("log", text)

    def __getattr__(self, name: str) -> Any:
        if name in _PLANNED:
            raise AttributeError(f"ctx.{name} is not supported by this version of Agentainer Flow")
        raise AttributeError(f"a Context has no {name!r}")

    def __repr__(self) -> str:
        return f"Context(run_id={self.run_id!r}, step_id={self.step_id!r}, item_index={self.item_index!r})"
