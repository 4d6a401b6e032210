"""Branches: conditions choose which of the named steps run."""

from __future__ import annotations

from typing import Any

from pools.facade.contracts import AgentError
from workflows.domain.steps import BranchStep
from workflows.domain.work import ExpressionError
from workflows.engine.bodies.base import Body
from workflows.engine.scope import Scope


async def holds(scope: Scope, condition: str | bool) -> bool:
    """The condition's value. Raises ExpressionError, also when it is neither true nor false."""
    value = await scope.resolve(condition)
    if not isinstance(value, bool):
        raise ExpressionError(f"{condition} must give true or false; here it gave {str(value)[:80]!r}")
    return value


class BranchRun(Body):
    """Its output tells which case held (null for `else`) and which steps it chose."""

    definition: BranchStep

    async def run(self) -> None:
        self.record.started_at = self.record.started_at or self.now()
        self.record.attempts = 1
        try:
            self.complete(await self._choice())
        except ExpressionError as exc:
            self.fail(AgentError("bad_input", str(exc)))

    async def _choice(self) -> dict[str, Any]:
        for number, case in enumerate(self.definition.cases):
            if await holds(self.scope, case.when):
                return {"case": number, "chosen": list(case.then)}
        return {"case": None, "chosen": list(self.definition.else_)}
