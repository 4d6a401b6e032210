"""What two versions of a workflow differ in, as the API tells it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from workflows.domain.differences import changes_between, step_changes
from workflows.domain.texts import in_order, unified_diff
from workflows.models import WorkflowVersion


def diff_shape(older: WorkflowVersion, newer: WorkflowVersion) -> dict[str, Any]:
    """{"from", "to", "changes", "steps", "text"}; `text` is null for documents too long for one."""
    before, after = in_order(older.document), in_order(newer.document)
    names = (f"version {older.number}", f"version {newer.number}")
    return {
        "from": older.number,
        "to": newer.number,
        "changes": [asdict(change) for change in changes_between(before, after)],
        "steps": asdict(step_changes(before, after)),
        "text": unified_diff(before, after, names),
    }
