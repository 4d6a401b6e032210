"""`MockContext`: a Context for the test of a single body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentainer_flow.agent.talk import in_loop
from agentainer_flow.context import Context
from agentainer_flow.local.values import Refused, Values


class MockContext(Context):
    """What a body gets when a test calls it by hand: `Report().total(MockContext(input=[1, 2]), …)`.

    `state` and `secrets` are what the body finds there. What it tells is kept: `logs` (texts), `metrics`
    (name, value), `told` (each progress). `values()` is the state as the body left it.
    """

    __slots__ = ("logs", "metrics", "told", "values")

    def __init__(
        self,
        input: Any = None,  # noqa: A002 - the Context's own word
        *,
        params: Mapping[str, Any] | None = None,
        state: Mapping[str, Any] | None = None,
        run_id: str = "run-1",
        step_id: str = "step",
        workflow_id: str = "workflow",
        item_index: int | None = None,
        attempt: int = 1,
    ) -> None:
        self.logs: list[str] = []
        self.metrics: list[tuple[str, float]] = []
        self.told: list[Any] = []
        kept = Values(state)
        self.values = kept.all
        values = {
            "run_id": run_id,
            "step_id": step_id,
            "workflow_id": workflow_id,
            "item_index": item_index,
            "attempt": attempt,
        }
        log = lambda _stream, text: self.logs.append(text)  # noqa: E731
        super().__init__(values, input=input, params=params, log=log, talk=_Talk(self, kept))


class _Talk:
    def __init__(self, context: MockContext, values: Values) -> None:
        self._context = context
        self._values = values

    def call(self, op: str, args: dict[str, Any]) -> Any:
        return self._later(op, args) if in_loop() else self._now(op, args)

    async def _later(self, op: str, args: dict[str, Any]) -> Any:
        return self._now(op, args)

    def _now(self, op: str, args: dict[str, Any]) -> Any:
        if op.startswith("state."):
            return self._values.apply(op.removeprefix("state."), args)
        raise Refused("not_supported", f"A MockContext has no {op}; run the workflow locally.")

    def progress(self, value: Any) -> None:
        self._context.told.append(value)

    def metric(self, name: str, value: float) -> None:
        self._context.metrics.append((name, value))
