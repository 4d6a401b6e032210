"""What the verbs of budgets do. Each returns the exit code."""

from __future__ import annotations

import argparse

from agentainer_flow.cli.given import WrongUsage
from agentainer_flow.cli.output import Output
from agentainer_flow.client import WorkflowClient

SCOPES, PERIODS, MODES = ("team", "pool", "workflow"), ("hour", "day", "month"), ("audit", "enforce")
_COLUMNS = {
    "BUDGET": "id",
    "SCOPE": "scope",
    "TARGET": "target",
    "PERIOD": "period",
    "SPENT": "spent",
    "RESERVED": "reserved",
    "LIMIT": "limit",
    "FORECAST": "forecast",
    "CURRENCY": "currency",
    "MODE": "mode",
    "STATE": "state",
}


def list_budgets(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    found = client.list_budgets(_one_of("--scope", arguments.scope, SCOPES), arguments.target)
    output.rows(found, _COLUMNS, "There is no budget yet.")
    return 0


def get_budget(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    output.value(client.get_budget(arguments.budget))
    return 0


def create_budget(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    scope = _one_of("the scope", arguments.scope, SCOPES) or ""
    if (scope == "team") is not (arguments.target is None):
        raise WrongUsage(
            "A budget of a team has no --target." if scope == "team" else f"Say which {scope}: --target NAME."
        )
    made = client.create_budget(
        scope,
        arguments.limit,
        period=_one_of("--period", arguments.period, PERIODS) or "month",
        target=arguments.target,
        mode=_one_of("--mode", arguments.mode, MODES),
        timezone=arguments.timezone,
    )
    return _told(made, output, f"Budget {made['id']}: {made['limit']} {made['currency']} a {made['period']}.")


def set_budget(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    mode = _one_of("--mode", arguments.mode, MODES)
    given = {"limit": arguments.limit, "mode": mode, "timezone": arguments.timezone}
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        raise WrongUsage("Say what to set: --limit, --mode or --timezone.")
    made = client.change_budget(arguments.budget, **changes)
    return _told(made, output, f"Budget {made['id']}: {made['limit']} {made['currency']}, {made['mode']}.")


def delete_budget(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    client.delete_budget(arguments.budget)
    output.done(f"Budget {arguments.budget} is gone.")
    return 0


def _one_of(flag: str, value: str | None, known: tuple[str, ...]) -> str | None:
    if value is not None and value not in known:
        raise WrongUsage(f"{flag} is one of {', '.join(known)}, not {value}.")
    return value


def _told(answer: object, output: Output, sentence: str) -> int:
    if output.as_json:
        output.value(answer)
    output.line(sentence)
    return 0
