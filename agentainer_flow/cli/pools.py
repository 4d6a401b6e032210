"""What the verbs of pools, triggers and secrets do beside listing. Each returns the exit code."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Any

from agentainer_flow.cli.given import WrongUsage, json_of
from agentainer_flow.cli.output import Output
from agentainer_flow.client import WorkflowClient

_TRIGGERS = {
    "TRIGGER": "id",
    "NAME": "name",
    "WORKFLOW": "workflow",
    "KIND": "kind",
    "ENABLED": "enabled",
    "NEXT": "due_at",
}
_FIRINGS = {"AT": "at", "OUTCOME": "outcome", "RUN": "run.id", "DETAIL": "detail"}


def create_pool(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    given = {"image": arguments.image, "min_size": arguments.min, "max_size": arguments.max}
    settings = {name: value for name, value in given.items() if value is not None}
    pool = client.create_pool(arguments.name, **settings, **_object("--settings", arguments.settings))
    return _told(pool, output, f"{pool['name']}: {pool['min_size']} to {pool['max_size']} agents.")


def act_on_pool(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    name = arguments.name
    if arguments.verb == "warm":
        return _told(client.warm_pool(name, arguments.size), output, f"{name}: agents are being started.")
    if arguments.verb == "drain":
        pool = client.drain_pool(name, arguments.within)
        return _told(pool, output, f"{name}: no new leases; `aflow pool resume {name}` ends that.")
    if arguments.verb == "resume":
        return _told(client.resume_pool(name), output, f"{name}: leases are given again.")
    return _told(client.recycle_pool(name), output, f"{name}: every agent is being replaced.")


def delete_pool(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    client.delete_pool(arguments.name)
    output.done(f"{arguments.name}: it ends once its leases have.")
    return 0


# --- triggers ---------------------------------------------------------------------------------------------


def list_triggers(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    output.rows(client.list_triggers(arguments.workflow), _TRIGGERS, "There is no trigger yet.")
    return 0


def create_trigger(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    config = _object("--config", arguments.config)
    if arguments.cron is not None:
        config["cron"] = arguments.cron
    params = _object("--params", arguments.params)
    made = client.create_trigger(arguments.workflow, arguments.name, arguments.kind, config, params)
    if output.as_json:
        output.value(made)
    output.line(f"Trigger {made['id']} ({made['name']}) is set.")
    if made.get("secret"):
        output.line(f"Its secret, told this once: {made['secret']}")
    return 0


def act_on_trigger(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    trigger = arguments.trigger
    if arguments.verb == "fire":
        return _told(client.fire_trigger(trigger), output, f"Trigger {trigger} was fired.")
    if arguments.verb == "firings":
        output.rows(client.trigger_firings(trigger), _FIRINGS, "It has not fired yet.")
        return 0
    if arguments.verb == "delete":
        client.delete_trigger(trigger)
        output.done(f"Trigger {trigger} is gone.")
        return 0
    changed = client.change_trigger(trigger, enabled=arguments.verb == "enable")
    return _told(changed, output, f"Trigger {trigger} is {arguments.verb}d.")


# --- secrets ----------------------------------------------------------------------------------------------


def list_secrets(client: WorkflowClient, _arguments: argparse.Namespace, output: Output) -> int:
    columns = {"SECRET": "name", "CHANGED": "changed_at", "BY": "author"}
    output.rows(client.list_secrets(), columns, "There is no secret yet.")
    return 0


def set_secret(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    """The value never stands on the command line, where others see it."""
    value = getpass.getpass(f"{arguments.name}: ") if sys.stdin.isatty() else sys.stdin.read().rstrip("\n")
    return _told(client.set_secret(arguments.name, value), output, f"The secret {arguments.name} is set.")


def delete_secret(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    client.delete_secret(arguments.name)
    output.done(f"The secret {arguments.name} is gone.")
    return 0


def _object(flag: str, text: str | None) -> dict[str, Any]:
    value = json_of(flag, text) if text is not None else {}
    if not isinstance(value, dict):
        raise WrongUsage(f"{flag} must be a JSON object.")
    return value


def _told(answer: Any, output: Output, sentence: str) -> int:
    if output.as_json:
        output.value(answer)
    output.line(sentence)
    return 0
