"""What became of a run that has ended: its output, or its error as an exception."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentainer_flow.errors import RunCancelled, RunFailed

_REFERENCE = {"$artifact", "size", "content_type", "url"}
ENDED = frozenset({"completed", "failed", "cancelled"})


def is_reference(output: Any) -> bool:
    """Whether the platform tells of a large output by where it lies."""
    return isinstance(output, dict) and output.keys() == _REFERENCE


def output_of(run: Mapping[str, Any]) -> Any:
    """`run` as the REST API shows it, ended. Raises RunFailed, RunCancelled."""
    run_id = str(run["id"])
    if run["state"] == "completed":
        return run["output"]
    if run["state"] == "cancelled":
        raise RunCancelled(run_id, "cancelled", f"Run {run_id} was cancelled.")
    error = run.get("error") or {}
    message, step = str(error.get("message") or "no reason was given"), error.get("step")
    blame = f" in step {step}" if step else ""
    kind = str(error.get("type") or "error")
    sentence = f"Run {run_id} failed{blame}: {kind}: {message}"
    failure = RunFailed(run_id, run["state"], sentence, step, error.get("traceback"))
    failure.type = kind
    raise failure
