"""Tests of workflows, with no server and no containers: under pytest, unittest, or by hand.

    def test_report():
        with mock_agent("fetcher:latest").returns({"rows": 3}):
            run = run_workflow_locally(Report, {"day": "2027-01-31"})
        assert run.result() == {"rows": 3}
        assert run.step("publish")["state"] == "skipped"

Runs here follow the platform's rules for order, conditions, failures, retries and undoing; bodies run in this
process, images are answered by mocks, and waits take no time.
"""

from agentainer_flow.local.clock import Clock, ManualClock
from agentainer_flow.local.execution import LocalExecution
from agentainer_flow.local.mocks import AgentCall, MockAgent, mock_agent
from agentainer_flow.testing.cases import WorkflowTestCase
from agentainer_flow.testing.contexts import MockContext
from agentainer_flow.testing.running import run_workflow_locally

__all__ = [
    "AgentCall",
    "Clock",
    "LocalExecution",
    "ManualClock",
    "MockAgent",
    "MockContext",
    "WorkflowTestCase",
    "mock_agent",
    "run_workflow_locally",
]
