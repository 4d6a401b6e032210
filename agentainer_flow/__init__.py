"""Agentainer Flow: the SDK, the CLI and the built-in agent.

Public names are resolved when they are first used, so that `agentainer_flow.agent` needs nothing of the rest,
and defining a workflow needs no HTTP client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentainer_flow.client import WorkflowClient, WorkflowExecution
    from agentainer_flow.client.aio import AsyncWorkflowClient, AsyncWorkflowExecution
    from agentainer_flow.context import Context
    from agentainer_flow.errors import (
        AgentFailed,
        DefinitionError,
        FlowAPIError,
        FlowError,
        RunCancelled,
        RunFailed,
    )
    from agentainer_flow.sdk.bodiless import approval, branch, case, loop, subworkflow, wait
    from agentainer_flow.sdk.decorators import parallel, step, workflow
    from agentainer_flow.sdk.definition import compile_workflow
    from agentainer_flow.sdk.mapreducing import mapreduce
    from agentainer_flow.sdk.options import ErrorHandler, ExecutionMode, PoolConfig, RetryPolicy
    from agentainer_flow.sdk.runnable import Runnable
    from agentainer_flow.sdk.written import document_step

__version__ = "0.1.0"
__all__ = [
    "AgentFailed",
    "AsyncWorkflowClient",
    "AsyncWorkflowExecution",
    "Context",
    "DefinitionError",
    "ErrorHandler",
    "ExecutionMode",
    "FlowAPIError",
    "FlowError",
    "PoolConfig",
    "RetryPolicy",
    "RunCancelled",
    "RunFailed",
    "Runnable",
    "WorkflowClient",
    "WorkflowExecution",
    "approval",
    "branch",
    "case",
    "compile_workflow",
    "document_step",
    "loop",
    "mapreduce",
    "parallel",
    "step",
    "subworkflow",
    "wait",
    "workflow",
]

# Public name -> the module that defines it.
_HOMES = {
    "AgentFailed": "agentainer_flow.errors",
    "AsyncWorkflowClient": "agentainer_flow.client.aio",
    "AsyncWorkflowExecution": "agentainer_flow.client.aio",
    "Context": "agentainer_flow.context",
    "DefinitionError": "agentainer_flow.errors",
    "ErrorHandler": "agentainer_flow.sdk.options",
    "ExecutionMode": "agentainer_flow.sdk.options",
    "FlowAPIError": "agentainer_flow.errors",
    "FlowError": "agentainer_flow.errors",
    "PoolConfig": "agentainer_flow.sdk.options",
    "RetryPolicy": "agentainer_flow.sdk.options",
    "RunCancelled": "agentainer_flow.errors",
    "RunFailed": "agentainer_flow.errors",
    "Runnable": "agentainer_flow.sdk.runnable",
    "WorkflowClient": "agentainer_flow.client",
    "WorkflowExecution": "agentainer_flow.client",
    "approval": "agentainer_flow.sdk.bodiless",
    "branch": "agentainer_flow.sdk.bodiless",
    "case": "agentainer_flow.sdk.bodiless",
    "compile_workflow": "agentainer_flow.sdk.definition",
    "document_step": "agentainer_flow.sdk.written",
    "loop": "agentainer_flow.sdk.bodiless",
    "mapreduce": "agentainer_flow.sdk.mapreducing",
    "parallel": "agentainer_flow.sdk.decorators",
    "step": "agentainer_flow.sdk.decorators",
    "subworkflow": "agentainer_flow.sdk.bodiless",
    "wait": "agentainer_flow.sdk.bodiless",
    "workflow": "agentainer_flow.sdk.decorators",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
