"""One request to an agent: what is sent, and what became of it.

Does not retry, record, or decide: it turns the pools' answers and errors into an `Outcome`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aflow_site.kernel.errors import FlowError
from pools.facade.contracts import (
    AgentError,
    AgentLost,
    AgentTimeout,
    Code,
    Handler,
    Invocation,
    InvocationResult,
    ItemResult,
    Lease,
    LeaseLost,
    LeaseOutcome,
    LogLine,
)
from workflows.domain.document import Run


@dataclass(frozen=True, slots=True)
class Outcome:
    """`results` has one entry per input. `agent_lost` tells that the step itself is not to blame, and
    `lease` how the lease is to be given back."""

    results: tuple[ItemResult, ...]
    logs: tuple[LogLine, ...] = ()
    agent_lost: bool = False
    lease: LeaseOutcome = LeaseOutcome.OK

    @property
    def agent_gone(self) -> bool:
        return self.lease is LeaseOutcome.POISON


def all_failed(count: int, error: AgentError, *, agent_lost: bool, lease: LeaseOutcome) -> Outcome:
    return Outcome((ItemResult(error=error),) * count, agent_lost=agent_lost, lease=lease)


def behaviour(run: Run, sha256: str, load_bundle: Callable[[str], bytes]) -> Code | Handler | None:
    """What the pools' side is told to run; None for an image that brings its own behaviour."""
    if run.code is not None:
        return Code(sha256=sha256, source=run.code)
    if run.handler is not None:
        bundle = run.bundle or ""
        return Handler(target=run.handler, bundle_sha256=bundle, load_bundle=lambda: load_bundle(bundle))
    return None


@dataclass(frozen=True, slots=True)
class StepCall:
    """All calls of one step share this."""

    run_id: UUID
    step_id: str
    runs: Code | Handler | None
    path: str
    timeout: float
    batch: bool

    def invocation(self, inputs: tuple[Any, ...], indexes: list[int] | None, attempt: int) -> Invocation:
        context: dict[str, Any] = {
            "run_id": str(self.run_id),
            "step_id": self.step_id,
            "item_index": indexes[0] if indexes else None,
            "attempt": attempt,
        }
        if indexes and self.batch:
            context["item_indexes"] = indexes
        return Invocation(
            inputs=inputs,
            batch=self.batch,
            runs=self.runs,
            context=context,
            timeout=self.timeout,
            path=self.path,
        )


async def send(broker: Any, lease: Lease, invocation: Invocation) -> Outcome:
    """Sends the request; every error of the pools becomes an outcome."""
    count = len(invocation.inputs)
    try:
        answer: InvocationResult = await broker.invoke(lease, invocation)
    except AgentTimeout:
        seconds = f"{invocation.timeout:g}"
        error = AgentError("timeout", f"The attempt ran longer than its time-out of {seconds} s.")
        return all_failed(count, error, agent_lost=False, lease=LeaseOutcome.POISON)
    except (AgentLost, LeaseLost) as exc:
        error = AgentError(exc.code, exc.detail)
        return all_failed(count, error, agent_lost=True, lease=LeaseOutcome.POISON)
    except FlowError as exc:
        error = AgentError(exc.code, exc.detail)
        return all_failed(count, error, agent_lost=False, lease=LeaseOutcome.ERROR)
    failed = any(result.error for result in answer.results)
    return Outcome(answer.results, answer.logs, lease=LeaseOutcome.ERROR if failed else LeaseOutcome.OK)
