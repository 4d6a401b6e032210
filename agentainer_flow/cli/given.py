"""What stands on the command line, read: files, JSON, params, the run that was meant."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from agentainer_flow.client import WorkflowClient, WorkflowExecution
from agentainer_flow.errors import FlowError, NotFound


class WrongUsage(FlowError):
    """The command line does not make sense; exit code 2."""


def text_of(file: str) -> str:
    """`-`: standard input."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except OSError as exc:
        raise WrongUsage(f"{file} cannot be read: {exc.strerror}.") from exc
    except UnicodeDecodeError as exc:
        raise WrongUsage(f"{file} is no text.") from exc


def execution_of(client: WorkflowClient, run: str) -> WorkflowExecution:
    """The run of that id."""
    try:
        return client.execution(run)
    except NotFound as exc:
        raise FlowError(f"There is no run {run}; the newest are told by: aflow run list") from exc


def json_of(flag: str, text: str | None) -> Any:
    """The value that was given with `flag`; None without one."""
    try:
        return None if text is None else json.loads(text)
    except ValueError as exc:
        raise WrongUsage(f"{flag} is no JSON: {exc}.") from exc


def params_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `--params` and each `--param` say together."""
    params = {} if arguments.params is None else json_of("--params", arguments.params)
    if not isinstance(params, dict):
        raise WrongUsage('--params must be a JSON object, such as {"name": "Ada"}.')
    for text in arguments.param:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise WrongUsage(f"--param is written KEY=VALUE, not {text!r}.")
        try:
            params[key] = json.loads(value)
        except ValueError:
            params[key] = value
    return params
