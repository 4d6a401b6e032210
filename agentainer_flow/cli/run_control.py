"""What the verbs that act on a run do: ask the platform, say what happens now. Each returns the exit code."""

from __future__ import annotations

import argparse

from agentainer_flow.cli.given import WrongUsage, execution_of, json_of, params_of
from agentainer_flow.cli.output import Output
from agentainer_flow.client import WorkflowClient, WorkflowExecution


def cancel_run(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    execution = execution_of(client, arguments.run)
    execution.cancel()
    return _told(execution, output, f"Run {execution.id} is being stopped.")


def pause_run(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    execution = execution_of(client, arguments.run)
    execution.pause()
    return _told(execution, output, f"Run {execution.id} starts nothing new; what is running finishes.")


def resume_run(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    execution = execution_of(client, arguments.run)
    execution.resume()
    return _told(execution, output, f"Run {execution.id} goes on.")


def retry_run(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    execution = execution_of(client, arguments.run)
    if arguments.version is None:
        execution.retry()
        return _told(execution, output, f"Run {execution.id} goes on with what did not complete.")
    return _new(execution.retry_on(arguments.version), output)


def replay_run(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    params = params_of(arguments)
    return _new(execution_of(client, arguments.run).replay(params, arguments.version), output)


def decide_approval(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    data = json_of("--data", arguments.data)
    execution = execution_of(client, arguments.run)
    execution.decide(arguments.step, arguments.approve, data)
    word = "approved" if arguments.approve else "rejected"
    return _told(execution, output, f"Step {arguments.step} of run {execution.id} is {word}.")


def signal_run(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    payload = json_of("--payload", arguments.payload)
    execution = execution_of(client, arguments.run)
    execution.signal(arguments.name, payload)
    return _told(execution, output, f"The event {arguments.name} was sent to run {execution.id}.")


def why_not(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    if arguments.item is not None and arguments.step is None:
        raise WrongUsage("Say of which step the item is: --step.")
    reason = execution_of(client, arguments.run).why(arguments.step, arguments.item)
    if output.as_json:
        output.value(reason)
    output.line(reason["sentence"])
    return 0


def values_of_run(client: WorkflowClient, arguments: argparse.Namespace, output: Output) -> int:
    values = execution_of(client, arguments.run).values()
    if output.as_json:
        output.value(values)
        return 0
    rows = [{"key": key, "value": value} for key, value in values.items()]
    output.rows(rows, {"KEY": "key", "VALUE": "value"}, "The steps of this run share no values.")
    return 0


def _told(execution: WorkflowExecution, output: Output, sentence: str) -> int:
    if output.as_json:
        output.value(execution.run)
    output.line(sentence)
    return 0


def _new(execution: WorkflowExecution, output: Output) -> int:
    follow = f"follow it with: aflow workflow status {execution.id}"
    return _told(execution, output, f"Run {execution.id} has started; {follow}")
