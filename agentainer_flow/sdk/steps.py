"""One step of a workflow class: what `@step` was told, and how its method takes its input.

The same object lives in the compiler and, once the bundle is imported there, in the agent: the one lays the
input out, the other hands it to the method, by the same rule:

- A plain step's extra parameters are keys of its input: `${params.NAME}` or `${steps.NAME.output}`.
- A parallel step's input is {"item": …}, a reduce step's {"results": …}; one extra parameter, of any name,
  gets it.
- `(self, ctx)` alone: `ctx.input` has the output of the step before, of several a dict by their names, of
  none the run's params; of a parallel or reduce step the item or the results.
- The run's params travel along as "params", for `ctx.params` and a parameter of that name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from agentainer_flow.errors import DefinitionError
from agentainer_flow.sdk.options import RetryPolicy

MARK = "__agentainer_step__"  # the attribute of a method that holds its Step
PARAMS = "params"
Kind = Literal["task", "map", "reduce"]
_SINGLE = {"map": "item", "reduce": "results"}


@dataclass(frozen=True, slots=True)
class Arguments:
    """What one call of a step's method gets: `ctx.input`, `ctx.params`, and keyword arguments."""

    input: Any
    params: Mapping[str, Any]
    keywords: Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """`depends_on` None: the step before it. `name` None: the method's name."""

    function: Callable[..., Any]
    kind: Kind = "task"
    name: str | None = None
    depends_on: tuple[str, ...] | None = None
    image: str | None = None
    max_parallel: int | None = None
    timeout: str | float | None = None
    retry_policy: RetryPolicy | None = None
    error_strategy: str | None = None
    min_success_rate: float | None = None
    pool: Mapping[str, Any] | None = None

    @property
    def method(self) -> str:
        return self.function.__name__

    @property
    def where(self) -> str:
        """How messages name it."""
        return f"step {self.method}"

    @cached_property
    def extra(self) -> dict[str, inspect.Parameter]:
        """The method's parameters after `self` and `ctx`. Raises DefinitionError."""
        parameters = list(inspect.signature(self.function).parameters.values())
        shape = f"{self.where}: write it as a method: def {self.method}(self, ctx)"
        if len(parameters) < 2 or any(one.kind is not one.POSITIONAL_OR_KEYWORD for one in parameters[:2]):
            raise DefinitionError(f"{shape}, then the parameters it needs.")
        extra = parameters[2:]
        for one in extra:
            if one.kind not in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY):
                raise DefinitionError(f"{shape}; parameters such as {one} cannot be filled, name each.")
        if self.kind != "task" and len(extra) > 1:
            gets = "item" if self.kind == "map" else "results"
            raise DefinitionError(
                f"{self.where} may have one parameter after ctx, which gets the {gets};"
                " take the run's params from ctx.params."
            )
        return {one.name: one for one in extra}

    def arguments(self, given: Any) -> Arguments:
        """The method's arguments out of the input that `compiling` laid out."""
        values = given if isinstance(given, dict) else {}
        params = values.get(PARAMS) or {}
        if self.kind != "task":
            value = values.get(_SINGLE[self.kind])
            return Arguments(value, params, dict.fromkeys(self.extra, value))
        if not self.extra:
            return Arguments(values.get("input", params), params, {})
        keywords = {name: values[name] for name in self.extra if name in values}
        for name in (self.extra.keys() - keywords.keys()) & params.keys():
            keywords[name] = params[name]  # one that a run may leave out
        return Arguments(keywords, params, keywords)

    def call(self, owner: Any, context: Any, given: Any) -> Any:
        """Calls the method of `owner`, after setting `context.input`, and `.params` when they came with the
        input; its result, or something to await."""
        arguments = self.arguments(given)
        context.input = arguments.input
        if arguments.params:
            context.params = dict(arguments.params)
        return self.function(owner, context, **arguments.keywords)
