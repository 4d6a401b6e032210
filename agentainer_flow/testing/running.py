"""`run_workflow_locally`: one run of a workflow in this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agentainer_flow.errors import DefinitionError
from agentainer_flow.local.clock import Clock
from agentainer_flow.local.execution import LocalExecution, Plan, check_form, decision
from agentainer_flow.local.mocks import MockAgent
from agentainer_flow.local.run import Definition, Library, Message
from agentainer_flow.sdk import options
from agentainer_flow.sdk.bundling import Bundle
from agentainer_flow.sdk.definition import definition_of
from agentainer_flow.sdk.options import ExecutionMode
from agentainer_flow.sdk.parts import SubWorkflow
from agentainer_flow.testing.documents import check_document

Workflow = type | Mapping[str, Any]  # a class under @workflow, or a document
_WHERE = "run_workflow_locally"


def run_workflow_locally(
    workflow: Workflow,
    params: Mapping[str, Any] | None = None,
    *,
    agents: Iterable[MockAgent] = (),
    workflows: Iterable[Workflow] = (),
    signals: Mapping[str, Any] | None = None,
    decisions: Mapping[str, Any] | None = None,
    state: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    mode: ExecutionMode = ExecutionMode.SYNC,
    timeout: float | None = None,
) -> LocalExecution:
    """Runs a class under `@workflow`, or a document whose steps have `code`, as the platform would.

    `agents`: mocks for this run, beside those that are there anyway. `workflows`: what sub-workflows named by
    text may start; classes that the workflow names itself need not be given. `signals`: event -> payload, and
    `decisions`: approval -> True, False, or {"approve", "data"}, both sent before the run begins. `state`,
    `secrets`: what `ctx.state` and `ctx.secrets` have at first. `clock`: a `ManualClock` to step; left out,
    waits, delays and time-outs take no time where nothing else goes on.

    With SYNC it returns when the run has ended, whichever way (`timeout`: seconds of real time, then
    WaitTimeout); with ASYNC at once. Raises DefinitionError, InvalidRequest for params that do not fit, and
    FlowError when the run waits for an event or a person that nobody sent.
    """
    waits = options.waits(_WHERE, mode)
    definition = _definition(workflow)
    messages = [
        Message("signal", name, _json(name, payload)) for name, payload in _object("signals", signals).items()
    ]
    messages += [_decision(definition, *one) for one in _object("decisions", decisions).items()]
    execution = LocalExecution(
        Plan(
            definition=definition,
            params=options.params(_WHERE, params),
            library=_library(workflow, workflows),
            clock=clock or Clock(),
            mocks=_mocks(agents),
            messages=tuple(messages),
            state=_json("state", _object("state", state)),
            secrets=_object("secrets", secrets),
            alone=waits,
        )
    )
    return execution.wait(timeout) if waits else execution


def _object(name: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise DefinitionError(f"{_WHERE}: {name} is a dict, not {given!r}.")
    return dict(given or {})


def _mocks(agents: Iterable[MockAgent]) -> tuple[MockAgent, ...]:
    found = tuple(agents)
    for one in found:
        if not isinstance(one, MockAgent):
            raise DefinitionError(f"{_WHERE}: agents are made by mock_agent(…), not {one!r}.")
    return found


def _json(name: str, value: Any) -> Any:
    return options.json_value(_WHERE, name, value)


def _definition(workflow: Workflow) -> Definition:
    if isinstance(workflow, Mapping):
        check_document(_WHERE, workflow)
        return Definition(_json("the document", dict(workflow)))
    # What agents would import from a bundle is imported from where it is.
    bundle = Bundle(getattr(workflow, "__module__", ""), b"", "0" * 64)
    return Definition(definition_of(workflow).document(bundle), workflow)


def _library(workflow: Workflow, others: Iterable[Workflow]) -> Library:
    known: dict[str, Workflow] = {}
    for one in (*_classes(workflow), *others):
        known[_name(one)] = one
        for inner in _classes(one):
            known.setdefault(_name(inner), inner)
    return lambda name: _definition(known[name]) if name in known else None


def _classes(workflow: Workflow) -> Iterator[Workflow]:
    """It, and the classes that its sub-workflows name."""
    waiting, seen = [workflow], list[Workflow]()
    while waiting:
        one = waiting.pop()
        if any(one is before for before in seen):
            continue
        seen.append(one)
        if isinstance(one, type):
            parts = definition_of(one).steps.values()
            waiting += [part.cls for part in parts if isinstance(part, SubWorkflow) and part.cls]
    yield from seen


def _name(workflow: Workflow) -> str:
    return str(workflow["name"]) if isinstance(workflow, Mapping) else definition_of(workflow).name


def _decision(definition: Definition, step: str, given: Any) -> Message:
    approve, data = given, None
    if isinstance(given, Mapping):
        approve, data = given.get("approve"), given.get("data")
    if not isinstance(approve, bool):
        raise DefinitionError(
            f'{_WHERE}: a decision is True, False or {{"approve": …, "data": …}}, not {given!r}.'
        )
    found = _approval(definition.document["steps"], step.rpartition(".")[2])
    if found is None:
        raise DefinitionError(f"{_WHERE}: there is no approval {step} to decide.")
    if approve:
        check_form(found, data)
    return decision(step, approve, _json(step, data))


def _approval(steps: Iterable[Mapping[str, Any]], step_id: str) -> Mapping[str, Any] | None:
    for step in steps:
        if step["id"] == step_id and step["type"] == "approval":
            return step
        found = _approval(step.get("steps", ()), step_id)
        if found is not None:
            return found
    return None
