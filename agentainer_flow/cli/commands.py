"""What each verb does: ask the platform, print. Each returns the exit code."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from agentainer_flow.cli.given import WrongUsage, execution_of, json_of, params_of, text_of
from agentainer_flow.cli.loading import workflow_class_of
from agentainer_flow.cli.output import Output
from agentainer_flow.cli.watching import wait_watching
from agentainer_flow.client import WorkflowClient
from agentainer_flow.errors import Conflict, FlowError, RunFailed
from agentainer_flow.sdk.options import ExecutionMode

_NAME_LINE = re.compile(rb"""^name:\s*(["']?)([A-Za-z0-9_-]+)\1\s*(?:#.*)?$""", re.MULTILINE)
_RUN_COLUMNS = {
    "RUN": "id",
    "WORKFLOW": "workflow",
    "VERSION": "version",
    "STATE": "state",
    "MS": "duration_ms",
    "CREATED": "created_at",
}
_STEP_COLUMNS = {
    "STEP": "id",
    "TYPE": "type",
    "STATE": "state",
    "ATTEMPTS": "attempts",
    "TOTAL": "counts.total",
    "DONE": "counts.completed",
    "FAILED": "counts.failed",
    "MS": "duration_ms",
    "POOL": "pool",
}
_POOL_COLUMNS = {
    "POOL": "name",
    "IMAGE": "image",
    "MIN": "min_size",
    "MAX": "max_size",
    "IDLE": "states.idle",
    "ACTIVE": "states.active",
    "STARTING": "states.starting",
    "WAITING": "waiting",
    "UTILIZATION": "utilization",
}


def create_workflow(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    file = arguments.file
    path, _, name = file.rpartition(":")
    if not path.endswith(".py"):
        path, name = file, ""
    if path.endswith(".py"):
        made = client.deploy(workflow_class_of(Path(path), name or None))
    else:
        made = _create_of_document(client, file, update=arguments.update)
    if output.as_json:
        output.value(made)
    output.line(f"{made['name']}: version {made['version']} is saved.")
    return 0


def _create_of_document(client: WorkflowClient, file: str, *, update: bool) -> dict[str, Any]:
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as exc:
        raise WrongUsage(f"{file} cannot be read: {exc.strerror}.") from exc
    is_json = file.endswith(".json") or content.lstrip().startswith(b"{")
    kind = "application/json" if is_json else "application/yaml"
    try:
        return client.upload(content, kind)
    except Conflict as exc:
        if not update:
            raise FlowError(f"{exc.detail} To save a new version: --update.") from exc
    return client.upload(content, kind, name=_name_in(content, is_json=is_json))


def _name_in(content: bytes, *, is_json: bool) -> str:
    """The name of a document that the platform has just read without complaint."""
    if is_json:
        return str(json.loads(content)["name"])
    found = _NAME_LINE.search(content)
    if found is None:
        raise WrongUsage("The document's name was not found; write `name: …` on a line of its own.")
    return found[2].decode()


def list_workflows(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    columns = {
        "WORKFLOW": "name",
        "VERSION": "version",
        "STEPS": "steps",
        "LAST RUN": "last_run.state",
        "UPDATED": "updated_at",
        "DESCRIPTION": "description",
    }
    found = client.list_workflows(arguments.search)
    output.rows(found, columns, "There is no workflow yet; make one with: aflow workflow create FILE")
    return 0


def get_workflow(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    workflow = client.get_workflow(arguments.name)
    fields = {"name": "name", "version": "version", "description": "description"}
    output.fields(workflow, {**fields, "updated": "updated_at", "by": "created_by"})
    if not output.as_json:
        columns = {"STEP": "id", "TYPE": "type", "NEEDS": "needs", "POOL": "pool"}
        print()
        output.rows(workflow["document"].get("steps", []), columns, "It has no steps.")
    return 0


def export_workflow(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    if output.as_json and (arguments.yaml or arguments.python):
        raise WrongUsage("It is JSON, YAML or Python: give one of --json, --yaml and --python.")
    if arguments.yaml:
        print(client.export_workflow(arguments.name, arguments.version), end="")
        return 0
    if arguments.version is None:
        document = client.get_workflow(arguments.name)["document"]
    else:
        document = client.get_version(arguments.name, arguments.version)["document"]
    if arguments.python:
        from agentainer_flow.sdk.exporting import python_of

        print(python_of(document), end="")
    else:
        output.value(document)
    return 0


def diff_workflow(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    """What changed between two versions."""
    output.value(client.diff_versions(arguments.name, arguments.old, arguments.new))
    return 0


def map_reduce(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    """Runs images over a list, with no document written."""
    text = arguments.items
    if text == "-" or text.startswith("@"):
        text = text_of(text.removeprefix("@"))
    items = json_of("--items", text)
    if not isinstance(items, list):
        raise WrongUsage("--items must be a JSON list, such as '[1, 2]', or @FILE.json, or -.")
    options = {"batch_size": arguments.batch_size, "pool_size": arguments.pool_size}
    given = {name: value for name, value in options.items() if value is not None}
    execution = client.map_reduce(
        arguments.mapper, arguments.reducer, items=items, mode=ExecutionMode.ASYNC, **given
    )
    wait_watching(execution, arguments.timeout, sys.stderr)
    output.value(execution.result())
    return 0


def run_workflow(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    params = params_of(arguments)
    execution = client.run(arguments.name, params, arguments.tag, ExecutionMode.ASYNC)
    if not arguments.wait:
        if output.as_json:
            output.value(execution.run)
        output.line(f"Run {execution.id} has started; follow it with: aflow workflow status {execution.id}")
        return 0
    run = wait_watching(execution, arguments.timeout, sys.stderr).run
    if output.as_json:
        output.value(run)
        return 0 if run["state"] == "completed" else 1
    try:
        result = execution.result()
    except RunFailed as exc:
        if exc.traceback:
            print(exc.traceback, file=sys.stderr)
        raise
    print(f"Run {execution.id} completed in {(run.get('duration_ms') or 0) / 1000:.2f} s.", file=sys.stderr)
    output.value(result)
    return 0


def run_status(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    run = execution_of(client, arguments.run).run
    names = {
        "run": "id",
        "workflow": "workflow",
        "version": "version",
        "state": "state",
        "tags": "tags",
        "started": "started_at",
        "finished": "finished_at",
        "ms": "duration_ms",
        "error": "error.message",
        "in step": "error.step",
        "agents": "stats.agents",
        "leases": "stats.leases",
    }
    output.fields(run, names)
    return 1 if run["state"] == "failed" else 0


def run_steps(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    output.rows(execution_of(client, arguments.run).steps(), _STEP_COLUMNS, "The run has no steps.")
    return 0


def list_runs(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    if arguments.limit < 1:
        raise WrongUsage("--limit must be 1 or more.")
    found = client.list_runs(arguments.workflow, arguments.state, arguments.tag, arguments.limit)
    output.rows(found, _RUN_COLUMNS, "No run fits.")
    return 0


def list_pools(client: WorkflowClient, _arguments: argparse.Namespace, output: Output) -> int:
    output.rows(client.list_pools(), _POOL_COLUMNS, "There is no pool yet.")
    return 0


def get_pool(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    names = {label.lower(): key for label, key in _POOL_COLUMNS.items()}
    more = {
        "warm up": "warm_up",
        "max uses": "max_uses",
        "idle s": "idle_timeout",
        "capacity": "capacity_type",
        "zone": "zone",
        "problem": "problem",
    }
    output.fields(client.get_pool(arguments.name), {**names, **more})
    return 0


def resize_pool(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    if arguments.min is None and arguments.max is None:
        raise WrongUsage("Say how many: --min, --max, or both.")
    now = client.get_pool(arguments.name)
    low = now["min_size"] if arguments.min is None else arguments.min
    high = now["max_size"] if arguments.max is None else arguments.max
    pool = client.resize_pool(arguments.name, low, high)
    if output.as_json:
        output.value(pool)
    output.line(f"{pool['name']}: {pool['min_size']} to {pool['max_size']} agents.")
    return 0
