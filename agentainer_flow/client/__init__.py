"""The client of the platform's REST API.

Does not: import the server, or know more of it than its interface.
"""

from agentainer_flow.client.execution import WorkflowExecution
from agentainer_flow.client.workflows import WorkflowClient

__all__ = ["WorkflowClient", "WorkflowExecution"]
