"""`@workflow` and `@step`. Each checks all it is told at once, where it is written."""

from __future__ import annotations

import dis
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar, overload

from agentainer_flow.errors import DefinitionError
from agentainer_flow.sdk import options
from agentainer_flow.sdk.definition import Workflow, attach, parts_of
from agentainer_flow.sdk.options import Condition, Duration, ErrorHandler, PoolConfig, Resources, RetryPolicy
from agentainer_flow.sdk.parts import StepLike, shared
from agentainer_flow.sdk.requirements import requirements_of
from agentainer_flow.sdk.scaling import Preset, Scaling
from agentainer_flow.sdk.scaling import scaling as scaling_of
from agentainer_flow.sdk.steps import MARK, PARAMS, Kind, Step
from agentainer_flow.sdk.triggering import Trigger
from agentainer_flow.sdk.triggering import triggers as triggers_of

C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])

_WORKFLOW = (
    "name",
    "description",
    "params",
    "max_parallel",
    "timeout",
    "retry_policy",
    "failure_strategy",
    "priority",
    "max_concurrent_runs",
    "scaling",
    "scaling_policy",
    "schedule",
    "triggers",
    "defaults",
    "layout",
    "output",
    "requirements",
)
_STEP = (
    "name",
    "depends_on",
    "image",
    "command",
    "parallel",
    "max_workers",
    "batch_size",
    "dynamic",
    "reduce",
    "streaming",
    "when",
    "always_run",
    "compensate",
    "input",
    "timeout",
    "retry_policy",
    "error_strategy",
    "error_handler",
    "min_success_rate",
    "execution_mode",
    "pool_config",
    "pool_size",
    "env",
    "resources",
)
_DEFAULTS = ("pool", "timeout", "retry")
_NAME = re.compile(r"\A[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?\Z")
# What the body of a method without statements is made of, async ones and later Pythons included.
_NOTHING = frozenset(
    {
        "CALL_INTRINSIC_1",
        "LOAD_CONST",
        "NOP",
        "POP_TOP",
        "RERAISE",
        "RESUME",
        "RETURN_CONST",
        "RETURN_GENERATOR",
        "RETURN_VALUE",
    }
)


@overload
def workflow(cls: C, /) -> C: ...


@overload
def workflow(
    *,
    name: str | None = None,
    description: str = "",
    params: Mapping[str, Any] | None = None,
    max_parallel: int | None = None,
    timeout: Duration | None = None,
    retry_policy: RetryPolicy | None = None,
    failure_strategy: str | ErrorHandler = "fail_fast",
    priority: int = 0,
    max_concurrent_runs: int | None = None,
    scaling: Scaling | None = None,
    scaling_policy: Preset | None = None,
    schedule: str | Trigger | Mapping[str, Any] | None = None,
    triggers: Iterable[Trigger | Mapping[str, Any]] = (),
    defaults: Mapping[str, Any] | None = None,
    layout: Mapping[str, Any] | None = None,
    output: Any = ...,
    requirements: Iterable[str] | None = None,
) -> Callable[[C], C]: ...


def workflow(cls: Any = None, /, **given: Any) -> Any:
    """Makes a workflow of a class: its steps are methods under `@step`, and attributes such as `wait("10m")`.

    `name`: lower-case letters, digits, - and _; left out, made of the class's name. `params`: JSON Schema of
    the run's params, an object. `max_parallel`: items at work at once in the whole run. `timeout`: of the
    whole run. `retry_policy`: for steps without one of their own. `failure_strategy`: after a step failed,
    "fail_fast" stops the rest, and "continue" goes on with what does not need it.

    `priority` (-100 to 100): higher runs are served first. `max_concurrent_runs`: more of them wait for their
    turn. `scaling`: how the pools of its steps follow their load, such as {"min": 1, "max": 50,
    "policy": "aggressive"}; `scaling_policy` is the preset alone.

    `schedule`: a cron line, in UTC, or `cron(…)`; `triggers`: `cron(…)`, `webhook(…)` and `after(…)` of
    `agentainer_flow.triggers`. They are made, changed and removed with each deployment.

    `defaults`: the document's, such as {"pool": "python", "timeout": "60s"}. `output`: an expression or a
    value with expressions in it; left out, what the last step gives. `layout`: the places of steps on the
    canvas. `requirements`: packages that the class's module imports, such as ["requests==2.32.3"]; local runs
    use what is installed. The class gets `to_document()` and `run_local(**params)`. Raises DefinitionError.

    A step waits for the one before it in the order of definition, unless `depends_on` says otherwise. Steps
    that a branch names wait for the branch alone, and the step after them joins its ways (see `branch`).
    Steps that a loop names run inside it alone. A step that undoes another one (`compensate`) is outside of
    the order: nothing waits for it, and the next step waits for the one before it.
    """
    options.refuse_unknown("@workflow", set(given) - set(_WORKFLOW), _WORKFLOW)

    def decorate(decorated: C) -> C:
        if not inspect.isclass(decorated):
            raise DefinitionError("@workflow goes on a class.")
        return attach(decorated, _workflow_of(decorated, given))

    return decorate if cls is None else decorate(cls)


def _workflow_of(cls: type, given: Mapping[str, Any]) -> Workflow:
    where = f"@workflow on {cls.__name__}"
    name = given.get("name")
    name = _kebab(cls.__name__) if name is None else options.text(where, "name", name)
    if not _NAME.match(name):
        raise DefinitionError(
            f"{where}: the name {name!r} must be lower-case letters, digits, - and _; up to 63 characters."
        )
    description = given.get("description") or inspect.cleandoc(cls.__doc__ or "")
    if not isinstance(description, str):
        raise DefinitionError(f"{where}: description must be text.")
    most, retry, limit = (given.get(key) for key in ("max_parallel", "retry_policy", "timeout"))
    return Workflow(
        cls=cls,
        name=name,
        description=description,
        params=_params(where, given.get("params")),
        max_parallel=None if most is None else options.whole(where, "max_parallel", most, low=1, high=10_000),
        retry_policy=None if retry is None else options.retry(where, retry),
        steps=parts_of(cls),
        timeout=None if limit is None else options.timeout(where, "timeout", limit),
        failure_strategy=_failure_strategy(where, given.get("failure_strategy")),
        requirements=requirements_of(where, given.get("requirements")),
        **_more(where, given),
    )


def _more(where: str, given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if given.get("priority"):
        found["priority"] = options.whole(where, "priority", given["priority"], low=-100, high=100)
    if given.get("max_concurrent_runs") is not None:
        most = given["max_concurrent_runs"]
        found["max_concurrent_runs"] = options.whole(where, "max_concurrent_runs", most, low=1, high=10_000)
    found["scaling"] = scaling_of(where, given.get("scaling"), given.get("scaling_policy"))
    found["triggers"] = triggers_of(where, given.get("schedule"), given.get("triggers"))
    for name in ("defaults", "layout"):
        value = given.get(name) or {}
        if not isinstance(value, Mapping):
            raise DefinitionError(f"{where}: {name} is a dict, not {value!r}.")
        found[name] = options.json_value(where, name, value)
    options.refuse_unknown(f"{where}: defaults", set(found["defaults"]) - set(_DEFAULTS), _DEFAULTS)
    if given.get("output", ...) is not ...:
        found["output"] = options.json_value(where, "output", given["output"])
    return found


def _failure_strategy(where: str, given: object) -> str | None:
    if given is None:
        return None
    value = given.value if isinstance(given, ErrorHandler) else given
    return options.choice(where, "failure_strategy", value, ["fail_fast", "continue"])


def _kebab(name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name)
    return words.lower().strip("_")


def _params(where: str, params: Any) -> dict[str, Any] | None:
    if params is None:
        return None
    if not isinstance(params, Mapping) or not {"type", "properties"} & params.keys():
        raise DefinitionError(
            f"{where}: params is a JSON Schema, such as"
            ' {"type": "object", "properties": {"root": {"type": "string"}}, "required": ["root"]}.'
        )
    if params.get("type", "object") != "object":
        raise DefinitionError(f'{where}: the params of a run are an object; their "type" is "object".')
    return {"type": "object", **params}


@overload
def step(function: F, /) -> F: ...


@overload
def step(
    *,
    name: str | None = None,
    depends_on: StepLike | Iterable[StepLike] | None = None,
    image: str | None = None,
    command: str | Sequence[str] | None = None,
    parallel: bool = False,
    max_workers: int | None = None,
    batch_size: int | None = None,
    dynamic: bool = False,
    reduce: bool = False,
    streaming: bool = False,
    when: Condition | None = None,
    always_run: bool = False,
    compensate: StepLike | None = None,
    input: Any = None,
    timeout: Duration | None = None,
    retry_policy: RetryPolicy | None = None,
    error_strategy: str | ErrorHandler | None = None,
    error_handler: ErrorHandler | str | None = None,
    min_success_rate: float | None = None,
    execution_mode: Literal["standard", "pooled"] = "standard",
    pool_config: PoolConfig | None = None,
    pool_size: int | None = None,
    env: Mapping[str, str] | None = None,
    resources: Resources | None = None,
) -> Callable[[F], F]: ...


def step(function: Any = None, /, **given: Any) -> Any:
    """Makes a step of a (sync or async) method `(self, ctx, …)`; its body runs on an agent.

    `depends_on`: names of steps or methods, or the methods; left out, the step before it; `()`: none.
    `parallel=True` runs the body once for each element of the list that the step before returned, on up to
    `max_workers` agents at once, `batch_size` elements in one call; `reduce=True` runs it once over all their
    results, with `streaming=True` from the start of the parallel step on: the body then gets an iterator.

    `when`: a condition (an expression, with its ${} or without); when it is false, the step is skipped.
    `always_run`: also after a failure. `compensate`: the step that undoes this one when the run fails.
    `input`: values for parameters, such as {"state": "${steps.pay.state}"}; for `(self, ctx)` alone any JSON
    value, as `ctx.input`.

    `timeout`: of one attempt. `error_strategy` (or `error_handler`) and `min_success_rate` (0 to 1) decide
    what failed items mean. `execution_mode`: whether `ctx.deploy_agent` gives a container of its own
    ("standard") or leases from the pool of the image ("pooled", implied by a pool). `pool_config` or
    `pool_size` gives the step a pool of its own, and so do `env` (texts; secrets are named at the pool) and
    `resources` ({"cpu": 0.5, "memory": "512M", "pids": 100}), which its agents have. `image`: a container
    image that does the work in place of the body, which stays empty. `command`: a program that does, as a
    list of it and its arguments, or as a line for a shell; it gets the input as JSON on stdin, and prints the
    output as JSON. It runs in the `image`, if that is given. Raises DefinitionError.
    """
    options.refuse_unknown("@step", set(given) - set(_STEP), _STEP)

    def decorate(decorated: F) -> F:
        if not inspect.isfunction(decorated):
            raise DefinitionError("@step goes on a plain method: def NAME(self, ctx).")
        if decorated.__name__ == "<lambda>":
            raise DefinitionError("@step goes on a method with a name, not on a lambda.")
        setattr(decorated, MARK, _step_of(decorated, given))
        return decorated

    return decorate if function is None else decorate(function)


def parallel(function: Any = None, /, **given: Any) -> Any:
    """`@step(parallel=True)`, with the other arguments of `@step`: runs the method once for each element of
    the list that the step before returned."""
    if "parallel" in given or given.get("reduce"):
        raise DefinitionError("@parallel is @step(parallel=True) already; leave parallel and reduce out.")
    made = step(parallel=True, **given)
    return made if function is None else made(function)


def _step_of(function: Callable[..., Any], given: Mapping[str, Any]) -> Step:
    where = f"step {function.__name__}"

    def value(name: str, check: Callable[[str, str, Any], Any]) -> Any:
        return None if given.get(name) is None else check(where, name, given[name])

    kind = _kind(where, given)
    made = Step(
        function=function,
        kind=kind,
        streaming=options.flag(where, "streaming", given.get("streaming", False)),
        batch_size=value("batch_size", lambda *at: options.whole(*at, low=1, high=10_000)),
        input=value("input", _input),
        image=value("image", options.text),
        command=value("command", options.command),
        max_parallel=value("max_workers", lambda *at: options.whole(*at, low=1, high=10_000)),
        timeout=value("timeout", options.timeout),
        retry_policy=value("retry_policy", lambda where, _name, policy: options.retry(where, policy)),
        error_strategy=_strategy(where, given),
        min_success_rate=value("min_success_rate", options.share),
        pool=options.with_resources(
            where,
            options.pool(where, given.get("pool_config"), given.get("pool_size")),
            given.get("env"),
            given.get("resources"),
        ),
        execution_mode=_mode(where, given),
        **shared(where, given),
    )
    _check(made, kind)
    return made


def _kind(where: str, given: Mapping[str, Any]) -> Kind:
    parallel, dynamic, reduce = (
        options.flag(where, name, given.get(name, False)) for name in ("parallel", "dynamic", "reduce")
    )
    if parallel and reduce:
        raise DefinitionError(f"{where}: parallel and reduce exclude each other; make two steps of it.")
    if dynamic and not parallel:
        raise DefinitionError(f"{where}: dynamic=True goes with parallel=True.")
    return "map" if parallel else "reduce" if reduce else "task"


def _mode(where: str, given: Mapping[str, Any]) -> str:
    """A pool of its own implies `pooled`."""
    told = given.get("execution_mode")
    if told is not None:
        return options.choice(where, "execution_mode", told, ["standard", "pooled"])
    pooled = given.get("pool_config") is not None or given.get("pool_size") is not None
    return "pooled" if pooled else "standard"


def _strategy(where: str, given: Mapping[str, Any]) -> str | None:
    found = {
        options.error_strategy(where, name, given[name])
        for name in ("error_strategy", "error_handler")
        if given.get(name) is not None
    }
    if len(found) > 1:
        raise DefinitionError(f"{where}: error_strategy and error_handler contradict each other; give one.")
    return found.pop() if found else None


def _input(where: str, name: str, value: Any) -> Any:
    found = options.json_value(where, name, value)
    if isinstance(found, dict) and PARAMS in found:
        raise DefinitionError(
            f"{where}: {PARAMS} are the run's, which every step has; call that key otherwise."
        )
    return found


def _check(made: Step, kind: Kind) -> None:
    """What does not go together."""
    if kind != "map":
        for argument, value in (
            ("max_workers", made.max_parallel),
            ("batch_size", made.batch_size),
            ("error_strategy", made.error_strategy),
            ("min_success_rate", made.min_success_rate),
        ):
            if value is not None:
                raise DefinitionError(f"{made.where}: {argument} goes with parallel=True.")
    if made.streaming and kind != "reduce":
        raise DefinitionError(f"{made.where}: streaming=True goes with reduce=True.")
    if made.streaming and not made.has_body:
        what = "an image" if made.command is None else "a command"
        raise DefinitionError(f"{made.where}: results are streamed to methods; {what} gets a list.")
    options.check_partial(made.where, made.error_strategy, made.min_success_rate)
    _ = made.extra  # a signature that cannot be called is told here
    options.refuse_generator(made.where, made.function)
    bare = made.kind == "task" or not made.has_body  # then it may be any value, as a whole
    if made.input is not None and not isinstance(made.input, dict) and (made.extra or not bare):
        raise DefinitionError(f"{made.where}: input is a dict with values for its parameters.")
    if not made.has_body and not _is_empty(made.function):
        what = "image" if made.command is None else "command"
        raise DefinitionError(
            f"{made.where}: its {what} does the work, so the body would never run; leave it empty (...)."
        )


def _is_empty(function: Callable[..., Any]) -> bool:
    return all(instruction.opname in _NOTHING for instruction in dis.get_instructions(function))
