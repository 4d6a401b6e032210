"""`WorkflowTestCase`: for unittest, which pytest runs too."""

from __future__ import annotations

import unittest
from collections.abc import Mapping
from typing import Any

from agentainer_flow.local.execution import LocalExecution
from agentainer_flow.local.mocks import MockAgent, mock_agent, scope
from agentainer_flow.testing.running import Workflow, run_workflow_locally


class WorkflowTestCase(unittest.TestCase):
    """Mocks that a test makes answer until its end, with no `with`.

    class ReportTest(WorkflowTestCase):
        def test_it(self):
            fetcher = self.mock_agent("fetcher").returns({"rows": 3})
            run = self.run_workflow(Report, {"day": "2027-01-31"})
            self.assert_completed(run, {"rows": 3})
            self.assert_step(run, "publish", "skipped")
            fetcher.assert_called_times(1)
    """

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        with scope():
            return super().run(result)

    def mock_agent(self, pattern: str) -> MockAgent:
        return mock_agent(pattern)

    def run_workflow(
        self, workflow: Workflow, params: Mapping[str, Any] | None = None, **options: Any
    ) -> LocalExecution:
        """`options` are those of `run_workflow_locally`."""
        return run_workflow_locally(workflow, params, **options)

    def assert_completed(self, run: LocalExecution, output: Any = ...) -> None:
        """That it completed; with `output`, that this came of it."""
        self._check(run.state == "completed", f"The run is {run.state}: {run.error}")
        if output is not ...:
            self._check(run.output == output, f"The output is {run.output!r}, not {output!r}.")

    def assert_failed(self, run: LocalExecution, kind: str | None = None, step: str | None = None) -> None:
        """That it failed; with an error of the type `kind`, in `step`."""
        self._check(run.state == "failed", f"The run is {run.state}.")
        error = run.error or {}
        self._check(kind in (None, error["type"]), f"The error is {error['type']}: {error['message']}")
        self._check(step in (None, error["step"]), f"Step {error['step']} failed: {error['message']}")

    def assert_step(self, run: LocalExecution, step: str, state: str) -> None:
        found = run.step(step)
        self._check(found["state"] == state, f"Step {step} is {found['state']}: {found['error']}")

    def assert_state(self, run: LocalExecution, **values: Any) -> None:
        """That the run's shared values have these."""
        found = run.values()
        for key, value in values.items():
            self._check(found.get(key) == value, f"{key} is {found.get(key)!r}, not {value!r}.")

    def _check(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.fail(sentence)
