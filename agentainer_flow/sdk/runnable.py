"""What `@workflow` adds to a class, for type checkers: a decorator cannot tell them.

@workflow
class Report(Runnable): ...

Report.run_local(day="2027-01-31").result()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentainer_flow.local.execution import LocalExecution


class Runnable:
    """Optional base of a workflow's class. Without `@workflow` on it, all raise DefinitionError."""

    @classmethod
    def run_local(cls, /, **params: Any) -> LocalExecution:
        """One run in this process, with no server; see `agentainer_flow.testing.run_workflow_locally`."""
        from agentainer_flow.testing import run_workflow_locally  # which knows this module's users

        return run_workflow_locally(cls, params)

    @classmethod
    def to_document(cls) -> dict[str, Any]:
        """The workflow document. Raises BundleError when the class's module cannot be packed."""
        from agentainer_flow.sdk.definition import compile_workflow  # likewise

        return compile_workflow(cls)
