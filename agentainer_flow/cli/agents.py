"""What the verbs of agents do: ask the platform, say what happens now. Each returns the exit code."""

from __future__ import annotations

import argparse
import os
import re
from typing import Any

from agentainer_flow.cli.given import WrongUsage, json_of, text_of
from agentainer_flow.cli.output import Output
from agentainer_flow.client import WorkflowClient
from agentainer_flow.client.answers import AgentAnswer

VERBS = {
    "start": "start a deployed agent",
    "stop": "stop a deployed agent; requests to it wait",
    "restart": "stop a deployed agent, and start it again",
    "pause": "freeze a deployed agent; requests to it wait",
    "resume": "go on with a paused agent",
}
_SOON = {
    "start": "is being started",
    "stop": "is being stopped; requests to it wait",
    "restart": "is being restarted",
    "pause": "is being paused; requests to it wait",
    "resume": "goes on",
}
_COLUMNS = {
    "AGENT": "id",
    "NAME": "name",
    "POOL": "pool",
    "STATE": "state",
    "HEALTH": "health",
    "USES": "uses",
    "NODE": "node",
    "STARTED": "started_at",
}
_FIELDS = {
    "agent": "id",
    "name": "name",
    "pool": "pool",
    "image": "image",
    "state": "state",
    "wanted": "desired",
    "health": "health",
    "problem": "problem",
    "uses": "uses",
    "waiting": "pending",
    "restarts": "restarts",
    "next start": "next_start_at",
    "container": "container",
    "node": "node",
    "started": "started_at",
}
_REQUEST_COLUMNS = {
    "REQUEST": "id",
    "STATE": "state",
    "WHY": "reason",
    "METHOD": "method",
    "PATH": "path",
    "STATUS": "response_status",
    "ATTEMPTS": "attempts",
    "CREATED": "created_at",
}
_USAGE_FIELDS = {
    "running": "running",
    "CPUs": "cpu",
    "memory bytes": "memory",
    "of": "memory_limit",
    "received bytes": "received",
    "sent bytes": "sent",
    "processes": "processes",
}
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")


def list_agents(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    kind = "deployed" if arguments.deployed else None
    output.rows(client.list_agents(arguments.pool, kind=kind), _COLUMNS, "There is no agent now.")
    return 0


def deploy(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    if (arguments.file is None) == (arguments.name is None):
        raise WrongUsage("Say what to deploy: FILE, or --name (with --image, --env, …).")
    if arguments.file is None:
        made = client.deploy_agents(_one(arguments), replace=arguments.replace)
    else:
        text = text_of(arguments.file)
        variables = {
            name: os.environ[name] for name in set(_VARIABLE.findall(text)) if name in os.environ
        } | _pairs("--var", arguments.var)
        made = client.deploy_agents(text, variables, replace=arguments.replace)
    if output.as_json:
        output.value(made)
    for agent in made:
        output.line(f"{agent['name']} is deployed; look at it with: aflow agent get {agent['name']}")
    return 0


def _one(arguments: argparse.Namespace) -> dict[str, Any]:
    resources = {name: getattr(arguments, name) for name in ("cpu", "memory") if getattr(arguments, name)}
    made = {"name": arguments.name, "image": arguments.image, "env": _pairs("--env", arguments.env)}
    return {**made, **({"resources": resources} if resources else {})}


def _pairs(flag: str, given: list[str]) -> dict[str, str]:
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise WrongUsage(f"{flag} is written NAME=VALUE, not {text!r}.")
        found[name] = value
    return found


def get_agent(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    output.fields(client.get_agent(arguments.agent), _FIELDS)
    return 0


def act(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    agent = client.act_on_agent(arguments.agent, arguments.verb)
    if output.as_json:
        output.value(agent)
    output.line(f"{agent['name']} {_SOON[arguments.verb]}.")
    return 0


def remove(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    client.remove_agent(arguments.agent, volumes=arguments.volumes)
    output.done(f"{arguments.agent} is removed.")
    return 0


def logs(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    if arguments.tail < 1:
        raise WrongUsage("--tail must be 1 or more.")
    if arguments.follow:
        for line in client.follow_agent_logs(arguments.agent, arguments.tail):
            output.next(line, line)
        return 0
    lines = client.agent_logs(arguments.agent, arguments.tail)
    if output.as_json:
        output.value(lines)
    for line in lines:
        output.line(line)
    return 0


def metrics(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    output.fields(client.agent_metrics(arguments.agent), _USAGE_FIELDS)
    return 0


def invoke(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    value = json_of("--input", arguments.input)
    code = None if arguments.code is None else text_of(arguments.code)
    return _told(client.invoke_agent(arguments.agent, value, code=code, later=arguments.later), output)


def requests(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    found = list(client.agent_requests(arguments.agent, arguments.state))
    output.rows(found, _REQUEST_COLUMNS, "No request fits.")
    return 0


def replay(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    return _told(client.replay_agent_request(arguments.agent, arguments.request), output)


def _told(answer: AgentAnswer, output: Output) -> int:
    if answer.waits and not output.as_json:
        print(f"Request {answer.request_id} waits: {answer.body['detail']}")
    else:
        output.value(answer.body)
    return 0
