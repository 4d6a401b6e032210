"""Steps without a body, as attributes of a workflow class, in order with the methods under `@step`.

    route = branch(large="${steps.check.output.size > 1000}", otherwise="small")
    pause = wait("10m")
    ok = approval("Publish?", timeout="24h")

All take `name` (its id, or its title where it cannot be an id), `depends_on` (as `@step` does), `when` and
`always_run`. Conditions are expressions, with their ${} or without. Raises DefinitionError where they stand.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

from agentainer_flow.errors import DefinitionError
from agentainer_flow.sdk import options
from agentainer_flow.sdk.options import Condition, Duration, RetryPolicy
from agentainer_flow.sdk.parts import (
    Approval,
    Branch,
    Case,
    Loop,
    StepLike,
    SubWorkflow,
    Wait,
    references,
    shared,
)

P = ParamSpec("P")
T = TypeVar("T")
Steps = StepLike | Iterable[StepLike]

_APPROVER = re.compile(r"^(role|user):.+$")
_WORKFLOW_NAME = re.compile(r"\A[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?\Z")


def checked(*, planned: Iterable[str] = ()) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Wrong arguments are a DefinitionError, with a hint where the name is nearly right. `planned`: arguments
    that the platform does not implement yet."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(function)
        where = f"{function.__name__}(…)"
        known = [name for name, one in signature.parameters.items() if one.kind is not one.VAR_KEYWORD]
        open_ended = len(known) < len(signature.parameters)

        @functools.wraps(function)
        def call(*args: P.args, **given: P.kwargs) -> T:
            if not open_ended:
                options.refuse_unknown(where, [name for name in given if name not in known], known, planned)
            try:
                signature.bind(*args, **given)
            except TypeError as exc:
                raise DefinitionError(f"{where}: {exc}.") from None
            return function(*args, **given)

        return call

    return decorate


# --- branches ---------------------------------------------------------------------------------------------


@checked()
def case(when: Condition, /, *then: StepLike) -> Case:
    """One way of a branch: the steps that run when its condition is the first to hold."""
    return Case(options.condition("case(…)", "when", when), references("case(…)", "then", then))


@checked()
def branch(
    cases: Iterable[Case] = (),
    /,
    *,
    otherwise: Steps = (),
    id: str | None = None,  # noqa: A002 - the document's word
    title: str | None = None,
    name: str | None = None,
    depends_on: Steps | None = None,
    when: Condition | None = None,
    always_run: bool = False,
    **targets: Condition,
) -> Branch:
    """The first condition that holds chooses which steps run; those of the others are skipped.

    Each keyword is the method or attribute to run, with its condition: `branch(large="steps.check.output.size
    > 1000", otherwise="small")`. Several steps for one condition: `branch([case("…", "large", "tell")])`.
    Without `otherwise` no step runs when no condition holds.

    A step that a branch names has no step before it by default: it waits for the branch, and has as its
    input what the branch had. A step after it goes on with its way, until the next one that the branch names;
    after the last of them, the step without `depends_on` joins: it waits for the branch and all its ways,
    and has their outputs by their ids, null of those that did not run.
    The output is {"case": the number of the case, or null, "chosen": [ids]}. `id` and `title` say what `name`
    says, apart: its id, and what people read.
    """
    where = "branch(…)"
    if not isinstance(cases, Iterable) or isinstance(cases, str | Mapping):
        raise DefinitionError(f"{where} takes a list of case(condition, step, …), not {cases!r}.")
    ways = list(cases)
    for one in ways:
        if not isinstance(one, Case):
            raise DefinitionError(f"{where} takes a list of case(condition, step, …); {one!r} is none.")
    ways += [Case(options.condition(where, target, given), (target,)) for target, given in targets.items()]
    if not ways:
        raise DefinitionError(f'{where} needs a condition, such as branch(large="params.n > 3").')
    common = {"name": name, "depends_on": depends_on, "when": when, "always_run": always_run}
    return Branch(
        id=None if id is None else options.text(where, "id", id),
        title=None if title is None else options.text(where, "title", title),
        cases=tuple(ways),
        otherwise=references(where, "otherwise", otherwise),
        **shared(where, common),
    )


# --- loops ------------------------------------------------------------------------------------------------


@checked()
def loop(
    steps: Steps,
    *,
    until: Condition,
    max_iterations: int = 100,
    input: Any = None,  # noqa: A002 - the document's word
    name: str | None = None,
    depends_on: Steps | None = None,
    when: Condition | None = None,
    always_run: bool = False,
    compensate: StepLike | None = None,
) -> Loop:
    """Runs its steps again and again until the condition holds; fails after `max_iterations`.

    `steps`: methods under `@step`, and other attributes of the class, which then run in the loop alone, one
    after the other where they do not say. Their parameters `item` and `index` get what the last iteration
    gave (at first the loop's `input`; left out, the output of the step before the loop) and the number of
    the iteration, from 0. The output is what the last step of the last iteration gave.
    """
    where = "loop(…)"
    common = {"name": name, "depends_on": depends_on, "when": when, "always_run": always_run}
    inner = references(where, "steps", steps)
    if not inner:
        raise DefinitionError(f"{where} needs a step, such as loop(steps=[improve], until=…).")
    return Loop(
        steps=inner,
        until=options.condition(where, "until", until),
        max_iterations=options.whole(where, "max_iterations", max_iterations, low=1, high=10_000),
        input=options.json_value(where, "input", input),
        given=input is not None,
        **shared(where, {**common, "compensate": compensate}),
    )


# --- waiting ----------------------------------------------------------------------------------------------


@checked()
def wait(
    duration: Duration | None = None,
    *,
    until: str | datetime | None = None,
    event: str | None = None,
    timeout: Duration | None = None,
    name: str | None = None,
    depends_on: Steps | None = None,
    when: Condition | None = None,
    always_run: bool = False,
) -> Wait:
    """Waits for a duration, until a time, or for an event that somebody sends to the run.

    `duration`: "10m", or an expression in ${}. `until`: a datetime with a zone, ISO 8601 text, or an
    expression in ${}. `event`: its name, which may hold expressions; the output is what came with it, and
    the step fails when it does not come within `timeout`.
    """
    where = "wait(…)"
    if sum(value is not None for value in (duration, until, event)) != 1:
        raise DefinitionError(f'{where} takes one of a duration, until=… and event=…, such as wait("10m").')
    if timeout is not None and event is None:
        raise DefinitionError(f"{where}: timeout goes with event=….")
    common = {"name": name, "depends_on": depends_on, "when": when, "always_run": always_run}
    return Wait(
        duration=None if duration is None else _duration(where, duration),
        until=None if until is None else _moment(where, until),
        event=None if event is None else options.text(where, "event", event),
        timeout=_time_out(where, timeout),
        **shared(where, common),
    )


def _duration(where: str, value: Duration) -> str | float:
    if isinstance(value, str) and "${" in value:
        return value
    return options.duration(where, "duration", value)


def _moment(where: str, value: object) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.isoformat()
    if isinstance(value, str) and "${" not in value:
        try:
            datetime.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, str):
        raise DefinitionError(
            f"{where}: until must be a time with its zone, such as 2027-01-31T09:00:00Z, or an expression in"
            " ${}."
        )
    return value


def _time_out(where: str, value: Duration | None) -> str | float | None:
    return None if value is None else options.timeout(where, "timeout", value)


@checked()
def approval(
    prompt: str = "",
    *,
    form: Mapping[str, Any] | None = None,
    approvers: str | Iterable[str] | None = None,
    timeout: Duration | None = None,
    on_timeout: str | None = None,
    on_reject: str | None = None,
    name: str | None = None,
    depends_on: Steps | None = None,
    when: Condition | None = None,
    always_run: bool = False,
) -> Approval:
    """A person decides.

    `prompt` may hold expressions. `form`: JSON Schema of the data that comes with the decision. `approvers`:
    "role:NAME" or "user:NAME"; left out, operators. `on_timeout`: "reject" (unless told) or "approve".
    `on_reject`: "fail" (unless told), or "continue", for a branch to look at. The output is {"approved",
    "by", "at", "data"}.
    """
    where = "approval(…)"
    if not isinstance(prompt, str):
        raise DefinitionError(f"{where}: prompt must be text, not {prompt!r}.")
    if form is not None and not isinstance(form, Mapping):
        raise DefinitionError(f'{where}: form is a JSON Schema such as {{"type": "object"}}, not {form!r}.')
    common = {"name": name, "depends_on": depends_on, "when": when, "always_run": always_run}
    return Approval(
        prompt=prompt,
        form=None if form is None else options.json_value(where, "form", form),
        approvers=None if approvers is None else _approvers(where, approvers),
        timeout=_time_out(where, timeout),
        on_timeout=_choice(where, "on_timeout", on_timeout, "reject", "approve"),
        on_reject=_choice(where, "on_reject", on_reject, "fail", "continue"),
        **shared(where, common),
    )


def _choice(where: str, name: str, value: object, *allowed: str) -> str | None:
    return None if value is None else options.choice(where, name, value, allowed)


def _approvers(where: str, given: object) -> tuple[str, ...]:
    many = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    found = []
    for one in many:
        if not isinstance(one, str) or not _APPROVER.match(one):
            raise DefinitionError(f'{where}: approvers are "role:NAME" or "user:NAME", not {one!r}.')
        found.append(one)
    if not found:
        raise DefinitionError(f"{where}: approvers is empty; leave it out, and operators decide.")
    return tuple(found)


# --- other workflows --------------------------------------------------------------------------------------


@checked()
def subworkflow(
    workflow: str | type,
    params: Mapping[str, Any] | str | None = None,
    *,
    version: int | None = None,
    timeout: Duration | None = None,
    retry_policy: RetryPolicy | None = None,
    name: str | None = None,
    depends_on: Steps | None = None,
    when: Condition | None = None,
    always_run: bool = False,
    compensate: StepLike | None = None,
) -> SubWorkflow:
    """Runs another workflow of the team, by its name or its class, and gives its output.

    `params` may hold expressions. `version`: left out, the newest when it starts. `timeout`: of the run that
    it starts. `retry_policy`: how often a failing run is followed by another.
    """
    where = "subworkflow(…)"
    if params is not None and not isinstance(params, Mapping):
        params = options.expression(where, "params", params)
    common = {"name": name, "depends_on": depends_on, "when": when, "always_run": always_run}
    return SubWorkflow(
        workflow=_workflow_name(where, workflow),
        cls=workflow if isinstance(workflow, type) else None,
        version=None if version is None else options.whole(where, "version", version, low=1, high=2**31),
        params=None if params is None else options.json_value(where, "params", params),
        timeout=_time_out(where, timeout),
        retry_policy=None if retry_policy is None else options.retry(where, retry_policy),
        **shared(where, {**common, "compensate": compensate}),
    )


def _workflow_name(where: str, given: object) -> str:
    if isinstance(given, type):
        from agentainer_flow.sdk.definition import definition_of  # which knows these steps

        return definition_of(given).name
    if not isinstance(given, str) or not _WORKFLOW_NAME.match(given):
        raise DefinitionError(f"{where} takes a workflow's name or its class, not {given!r}.")
    return given
