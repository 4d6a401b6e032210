"""One request to an agent: what is sent, and what became of it.

Does not retry, record, or decide: it turns the pools' answers and errors into an `Outcome`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from aflow_site.kernel.errors import FlowError
from aflow_site.kernel.json import DEEPEST
from pools.facade.contracts import (
    AgentError,
    AgentLost,
    AgentTimeout,
    Code,
    Command,
    Handler,
    Invocation,
    InvocationResult,
    ItemResult,
    LargeOutput,
    Lease,
    LeaseLost,
    LeaseOutcome,
    Listener,
)
from workflows.domain.artifacts import LIMIT, may_be_large
from workflows.domain.steps import Run
from workflows.services.rows import holds_nul

INTERRUPTED = "The machine of its agent is taken away (spot interruption); the work begins anew on another."
NUL = "The output holds a NUL character, which cannot be kept: take it out, or give bytes as base64."
DEEP = f"The output is nested too deeply: at most {DEEPEST} values may be in each other."


@dataclass(frozen=True, slots=True)
class Outcome:
    """`results` has one entry per input. `agent_lost` tells that its agent was lost with the request, `began`
    whether the body may have had a hand in it; `lease` is how the lease is to be given back."""

    results: tuple[ItemResult, ...]
    agent_lost: bool = False
    began: bool = True
    lease: LeaseOutcome = LeaseOutcome.OK

    async def kept(self, keep: Callable[[Any], Awaitable[Any]]) -> Outcome:
        """The same with every output as rows hold it (`RunContext.keep`); an error for one that none can."""
        results = [await _kept(result, keep) for result in self.results]
        return replace(self, results=tuple(results))

    @property
    def may_be_large(self) -> bool:
        """Whether an output may have to be stored elsewhere than in a row."""
        outputs = [result.output for result in self.results]
        return any(isinstance(output, LargeOutput) or may_be_large(output) for output in outputs)

    @property
    def agent_gone(self) -> bool:
        return self.lease is LeaseOutcome.POISON


async def _kept(result: ItemResult, keep: Callable[[Any], Awaitable[Any]]) -> ItemResult:
    if result.error is not None:
        return result
    output = result.output
    try:
        nul = output.holds_nul if isinstance(output, LargeOutput) else holds_nul(output)
    except RecursionError:
        return ItemResult(error=AgentError("bad_output", DEEP))
    if nul:
        return ItemResult(error=AgentError("bad_output", NUL))
    return ItemResult(output=await keep(output))


def all_failed(
    count: int, error: AgentError, *, agent_lost: bool, lease: LeaseOutcome, began: bool = True
) -> Outcome:
    results = (ItemResult(error=error),) * count
    return Outcome(results, agent_lost=agent_lost, began=began, lease=lease)


def _behaviour(run: Run, load_bundle: Callable[[str], bytes]) -> Code | Handler | Command | None:
    """What the pools' side is told to run; None for an image that brings its own behaviour."""
    if run.code is not None:
        return Code(sha256=hashlib.sha256(run.code.encode()).hexdigest(), source=run.code)
    if run.handler is not None:
        bundle = run.bundle or ""
        return Handler(target=run.handler, bundle_sha256=bundle, load_bundle=lambda: load_bundle(bundle))
    return Command(run.words) if run.command is not None else None


@dataclass(frozen=True, slots=True)
class StepCall:
    """All calls of one step share this. `more` is added to the context of each request."""

    run_id: UUID
    workflow_id: str
    step_id: str
    runs: Code | Handler | Command | None
    path: str
    timeout: float
    batch: bool
    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        run_id: UUID,
        workflow: str,
        step_id: str,
        run: Run,
        load_bundle: Callable[[str], bytes],
        *,
        timeout: float,
        batch: bool = False,
        more: Mapping[str, Any] | None = None,
    ) -> StepCall:
        runs = _behaviour(run, load_bundle)
        return cls(run_id, workflow, step_id, runs, run.path or "/invoke", timeout, batch, more or {})

    def invocation(
        self, inputs: tuple[Any, ...], indexes: list[int] | None, attempt: int, listener: Listener
    ) -> Invocation:
        context: dict[str, Any] = {
            "workflow_id": self.workflow_id,
            "run_id": str(self.run_id),
            "step_id": self.step_id,
            "item_index": indexes[0] if indexes else None,
            "attempt": attempt,
            **self.more,
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
            listener=listener,
            spool_above=None if self.batch else LIMIT,
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
        error = (
            AgentError("interrupted", INTERRUPTED) if exc.interrupted else AgentError(exc.code, exc.detail)
        )
        began = not exc.interrupted and (not isinstance(exc, AgentLost) or exc.began)
        return all_failed(count, error, agent_lost=True, began=began, lease=LeaseOutcome.POISON)
    except FlowError as exc:
        error = AgentError(exc.code, exc.detail)
        return all_failed(count, error, agent_lost=False, lease=LeaseOutcome.ERROR)
    failed = any(result.error for result in answer.results)
    return Outcome(answer.results, lease=LeaseOutcome.ERROR if failed else LeaseOutcome.OK)
