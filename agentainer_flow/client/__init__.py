"""The client of the platform's REST API.

Does not: import the server, or know more of it than its interface.
"""

from agentainer_flow.client.client import WorkflowClient
from agentainer_flow.client.execution import WorkflowExecution

__all__ = ["WorkflowClient", "WorkflowExecution"]
