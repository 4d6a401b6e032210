"""`mapreduce`: a map and a reduce as one step, as an attribute of the class or as a decorator of a method.

Naming: `words = mapreduce(over=…)` is one step, `words`. A method `words` under `@mapreduce(…)` becomes two:
`words_items`, which runs the method, and `words`, the mapreduce over the items that it returned.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, ClassVar, TypeVar

from agentainer_flow.errors import DefinitionError
from agentainer_flow.sdk import options, sourcing
from agentainer_flow.sdk.bodiless import Steps, checked
from agentainer_flow.sdk.options import Condition, Duration, ErrorHandler, PoolConfig, RetryPolicy
from agentainer_flow.sdk.parts import Fields, Find, Part, Reference, StepLike, reference, shared, without_none
from agentainer_flow.sdk.sourcing import Source
from agentainer_flow.sdk.steps import MARK, Kind, Step

F = TypeVar("F", bound=Callable[..., Any])
Worker = str | Callable[..., Any]  # an image, a method of the class, or a function of its module

_CONTEXT = "ctx"
_RESULTS = "results"
_GETS = {"mapper": "the item", "reducer": "the results"}


@dataclass(frozen=True, eq=False, kw_only=True)
class MapReduce(Part):
    """Made by `mapreduce`. `over` None: what the method below it returned; `items` is the attribute of the
    step that runs that method."""

    step_type: ClassVar[str] = "mapreduce"
    mapper: Worker | None = None  # None: the method `mapper` of the class below it
    reducer: Worker | None = None
    over: list[Any] | Reference | None = None
    source: Mapping[str, Any] | None = None
    items: str | None = None
    batch_size: int | None = None
    pool: Mapping[str, Any] | None = None
    max_parallel: int | None = None
    timeout: str | float | None = None
    retry_policy: RetryPolicy | None = None
    error_strategy: str | None = None
    min_success_rate: float | None = None

    def __call__(self, function: F) -> F:
        """As a decorator."""
        where = "@mapreduce"
        if self.over is not None or self.source is not None:
            raise DefinitionError(f"{where}: the method gives the items; leave over and source out.")
        if inspect.isclass(function):
            from agentainer_flow.sdk.mapreduce_classes import decorate  # which knows this module

            made: F = decorate(function, self)
            return made
        if self.mapper is None:
            raise DefinitionError(f"{where}: a mapper is missing; only on a class it may be a method of it.")
        if not inspect.isfunction(function) or function.__name__ == "<lambda>":
            raise DefinitionError(f'{where} goes on a method that returns {{"items": […]}}.')
        if getattr(function, MARK, None) is not None:
            raise DefinitionError(f"step {function.__name__}: @mapreduce and @step exclude each other.")
        items = Step(
            function=function,
            depends_on=self.depends_on,
            when=self.when,
            always_run=self.always_run,
            timeout=self.timeout,
            retry_policy=self.retry_policy,
            then=self,
        )
        _ = items.extra  # a signature that cannot be called is told here
        options.refuse_generator(items.where, function)
        setattr(function, MARK, items)
        return function

    def own_fields(self, find: Find) -> Fields:
        fields = {
            "batch_size": self.batch_size,
            "pool": None if self.pool is None else dict(self.pool),
            "timeout": self.timeout,
            "retry": None if self.retry_policy is None else self.retry_policy.as_document(),
            "max_parallel": self.max_parallel,
            "error_strategy": self.error_strategy,
            "min_success_rate": self.min_success_rate,
        }
        return without_none(fields)


@checked()
def mapreduce(
    *,
    mapper: Worker | None = None,
    reducer: Worker | None = None,
    over: StepLike | list[Any] | None = None,
    source: str | PurePath | list[Any] | Source | None = None,
    batch_size: int | None = None,
    pool_size: int | None = None,
    pool_config: PoolConfig | None = None,
    max_parallel: int | None = None,
    timeout: Duration | None = None,
    retry_policy: RetryPolicy | None = None,
    error_strategy: str | ErrorHandler | None = None,
    min_success_rate: float | None = None,
    name: str | None = None,
    depends_on: Steps | None = None,
    when: Condition | None = None,
    always_run: bool = False,
    compensate: StepLike | None = None,
) -> MapReduce:
    """Calls the mapper for each element of a list, and the reducer once with the list of what they gave.

    As an attribute, `over` says which list: a step (its method, attribute or name) that returns one, an
    expression, or the list itself; `source` instead, that they lie elsewhere: a path, an HTTP or S3 URL, or a
    dict that says more (`sdk.sourcing.Source`), which an agent reads line by line. As a decorator, the
    method below returns it: {"items": […]} or {"source": …, "batch_size": n}; on a class, its method
    `items` does, and methods `mapper` and `reducer` may work for it. Later steps see the reducer's output
    under the method's name, and the method's own under that name with `_items`.

    `mapper`, `reducer`: an image, a method `(self, ctx, value)` of the class without `@step`, or a function
    of the module, whose first parameter gets the item; a reducing function calls it `results`. A parameter
    `ctx` gets the Context. Without a reducer the output is the list of the mapper's outputs. `batch_size`:
    items in one call to an agent. `max_parallel`: calls at once. `pool_size`, `pool_config`,
    `error_strategy`, `min_success_rate`, `timeout` and `retry_policy` are those of a parallel `@step`.
    """
    where = "mapreduce(…)"
    if over is not None and source is not None:
        raise DefinitionError(f"{where}: give over or source, not both.")
    if mapper is None and not (over is None and source is None):
        raise DefinitionError(f"{where}: missing a required argument: 'mapper'.")

    def size(name: str, value: object) -> int | None:
        return None if value is None else options.whole(where, name, value, low=1, high=10_000)

    strategy = (
        None if error_strategy is None else options.error_strategy(where, "error_strategy", error_strategy)
    )
    rate = None if min_success_rate is None else options.share(where, "min_success_rate", min_success_rate)
    options.check_partial(where, strategy, rate)
    common = {"name": name, "depends_on": depends_on, "when": when, "always_run": always_run}
    return MapReduce(
        mapper=None if mapper is None else worker(where, "mapper", mapper),
        reducer=None if reducer is None else worker(where, "reducer", reducer),
        over=None if over is None else _over(where, "over", over),
        source=None if source is None else sourcing.source(where, source),
        batch_size=size("batch_size", batch_size),
        pool=options.pool(where, pool_config, pool_size),
        max_parallel=size("max_parallel", max_parallel),
        timeout=None if timeout is None else options.timeout(where, "timeout", timeout),
        retry_policy=None if retry_policy is None else options.retry(where, retry_policy),
        error_strategy=strategy,
        min_success_rate=rate,
        **shared(where, {**common, "compensate": compensate}),
    )


def _over(where: str, name: str, value: Any) -> list[Any] | Reference:
    if isinstance(value, list | tuple):
        found: list[Any] = options.json_value(where, name, value)
        return found
    if isinstance(value, Part) or callable(value):
        return reference(where, name, value)
    if isinstance(value, str) and value.strip().isidentifier():
        return value.strip()  # a step
    return options.expression(where, name, value)


# --- mappers and reducers ---------------------------------------------------------------------------------


def worker(where: str, role: str, given: Any) -> Worker:
    """An image, or something that agents can import. Raises DefinitionError."""
    if isinstance(given, str):
        return options.text(where, role, given)
    if not inspect.isfunction(given):
        raise DefinitionError(f"{where}: {role} must be an image, a method or a function, not {given!r}.")
    owner, _, _name = given.__qualname__.rpartition(".")
    if given.__name__ == "<lambda>" or owner.endswith("<locals>"):
        raise DefinitionError(
            f"{where}: {role} must be a method of the class or a function at the top of its module, which"
            f" agents can import; {given.__qualname__} is neither."
        )
    options.refuse_generator(where, given)
    if owner:
        _mark(where, role, given, "reduce" if role == "reducer" else "map")
    else:
        item_parameter(where, role, given)
    return given


def _mark(where: str, role: str, method: Callable[..., Any], kind: Kind) -> None:
    """Makes the method take its input as a parallel or reduce step does, in the agent too."""
    known = getattr(method, MARK, None)
    if isinstance(known, Step) and (known.works_for is None or known.kind != kind):
        uses = (
            "a step of its own; leave @step off" if known.works_for is None else "its mapper and its reducer"
        )
        raise DefinitionError(f"{where}: {role} {method.__name__} is {uses}.")
    step = Step(function=method, kind=kind, works_for=role)
    _ = step.extra  # a signature that cannot be called is told here
    setattr(method, MARK, step)


def item_parameter(where: str, role: str, function: Callable[..., Any]) -> str:
    """The parameter of a function that gets the item, or the results. Raises DefinitionError."""
    parameters = [one for name, one in inspect.signature(function).parameters.items() if name != _CONTEXT]
    spread = [one for one in parameters if one.kind not in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    needed = [one.name for one in parameters if one.default is one.empty]
    first = parameters[0].name if parameters else ""
    if spread or not first or any(name != first for name in needed):
        gets = _GETS.get(role, "the value")
        raise DefinitionError(
            f"{where}: {role} {function.__name__} must have one parameter for {gets}, a ctx where it wants"
            " the Context, and defaults for the rest."
        )
    if role == "reducer" and first != _RESULTS:
        raise DefinitionError(
            f"{where}: reducer {function.__name__} is a function, which gets the results as {_RESULTS}; call"
            f" its parameter {first} so, or make it a method."
        )
    return first
