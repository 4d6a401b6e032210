"""The client for programs with an event loop. What is beside this package is made of it: `just client`."""

from agentainer_flow.client.aio.client import AsyncWorkflowClient
from agentainer_flow.client.aio.execution import AsyncWorkflowExecution

__all__ = ["AsyncWorkflowClient", "AsyncWorkflowExecution"]
