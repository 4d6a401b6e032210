"""What is seen while it happens: the progress of a run, its logs, and all pools (`aflow top`)."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO

from agentainer_flow.cli.given import WrongUsage, execution_of
from agentainer_flow.cli.output import Output
from agentainer_flow.client import WorkflowClient, WorkflowExecution
from agentainer_flow.errors import WaitTimeout

BAR, LOOK = 24, 0.3  # characters; seconds between two looks
_POOLS = {
    "POOL": "name",
    "IDLE": "states.idle",
    "ACTIVE": "states.active",
    "STARTING": "states.starting",
    "MAX": "max_size",
    "WAITING": "waiting",
    "UTILIZATION": "utilization",
    "SPENT 24H": "spent",
}
_RUNS = {"RUN": "id", "WORKFLOW": "workflow", "STATE": "state", "CREATED": "created_at"}
CLEAR = "\x1b[H\x1b[2J"


def progress_lines(steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each step at work; a bar for those with items."""
    found = []
    for step in steps:
        if step["state"] not in ("queued", "running", "waiting"):
            continue
        counts = step.get("counts") or {}
        total, done, failed = (counts.get(key) or 0 for key in ("total", "completed", "failed"))
        if not total:
            found.append(f"{step['id']}  {step['state']}")
            continue
        filled = BAR * (done + failed) // total
        bar = "█" * filled + "░" * (BAR - filled)
        wrong = f", {failed} failed" if failed else ""
        found.append(f"{step['id']}  {bar}  {done:,} of {total:,}{wrong}")
    return found


def wait_watching(execution: WorkflowExecution, timeout: float | None, screen: TextIO) -> WorkflowExecution:
    """Waits for the end; where `screen` is a terminal, its last lines show how far the steps are."""
    if not screen.isatty():
        return execution.wait(timeout)
    end = None if timeout is None else time.monotonic() + timeout
    shown = 0
    try:
        while True:
            try:
                return execution.wait(LOOK if end is None else max(0.0, min(LOOK, end - time.monotonic())))
            except WaitTimeout:
                if end is not None and time.monotonic() >= end:
                    raise
            lines = progress_lines(execution.steps())
            screen.write(_erased(shown) + "".join(f"{line}\n" for line in lines))
            screen.flush()
            shown = len(lines)
    finally:
        screen.write(_erased(shown))
        screen.flush()


def _erased(lines: int) -> str:
    return f"\x1b[{lines}A\x1b[J" if lines else ""


def run_logs(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    execution = execution_of(client, arguments.run)
    if arguments.follow:
        for line in execution.follow_logs(arguments.step, arguments.item):
            output.next(line, _line(line))
        return 0
    lines = execution.logs(arguments.step, arguments.item)
    if output.as_json:
        output.value(lines)
    for line in lines:
        output.line(_line(line))
    return 0


def _line(line: Mapping[str, Any]) -> str:
    item = "" if line["item"] is None else f"[{line['item']}]"
    return f"{line['at']}  {line['step']}{item}  {line['text']}"


def _pools_and_spend(client: WorkflowClient) -> list[dict[str, Any]]:
    """Each with what its agents cost in the last 24 hours, as "spent"."""
    spend = client.spend("pool", since=datetime.now(UTC) - timedelta(days=1))
    costs = {line["name"]: f"{float(line['cost']):,.2f} {spend['currency']}" for line in spend["lines"]}
    return [{**pool, "spent": costs.get(pool["name"])} for pool in client.list_pools()]


def top(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    """All pools, and the runs under way, again and again until Ctrl-C."""
    if not arguments.every:
        raise WrongUsage("--every must be more than 0 seconds.")
    while True:
        pools, runs = _pools_and_spend(client), client.list_runs(state="running", limit=20)
        if output.as_json:
            output.value({"pools": pools, "runs": runs})
        else:
            if not arguments.once and sys.stdout.isatty():
                print(CLEAR, end="")
            output.rows(pools, _POOLS, "There is no pool yet.")
            print()
            output.rows(runs, _RUNS, "No run is under way.")
        sys.stdout.flush()
        if arguments.once:
            return 0
        time.sleep(arguments.every)
