"""One step of a workflow class that has a body: what its decorator was told, and how its method takes input.

The same object lives in the compiler and, once the bundle is imported there, in the agent: the one lays the
input out, the other hands it to the method, by the same rule:

- A plain step's extra parameters are keys of its input: what `input={…}` says, else `${params.NAME}` or
  `${steps.NAME.output}`, and inside a loop `${item}` and `${index}` for those names.
- A parallel step's input is {"item": …}, a reduce step's {"results": …}; one extra parameter, of any name,
  gets it. Further ones are filled by `input={…}`.
- `(self, ctx)` alone: `ctx.input` has the output of the step before, of several a dict by their names, of
  none the run's params (in a loop, `${item}`); of a parallel or reduce step the item or the results.
- The run's params travel along as "params", for `ctx.params` and a parameter of that name.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from agentainer_flow.errors import DefinitionError
from agentainer_flow.sdk.options import RetryPolicy
from agentainer_flow.sdk.parts import Part
from agentainer_flow.sdk.sourcing import returned

MARK = "__agentainer_step__"  # the attribute of a method that holds its Step
PARAMS = "params"
ITEMS = "items"  # the key under which a method of `@mapreduce` returns its list
Kind = Literal["task", "map", "reduce"]
_SINGLE = {"map": "item", "reduce": "results"}


@dataclass(frozen=True, slots=True)
class Arguments:
    """What one call of a step's method gets: `ctx.input`, `ctx.params`, and keyword arguments."""

    input: Any
    params: Mapping[str, Any]
    keywords: Mapping[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Step(Part):
    """`name` None: the method's name. `input` None: by the rule above. `works_for`: "mapper" or "reducer" of
    a mapreduce, which makes it no step of its own. `then`: the mapreduce over the items it returns.
    `execution_mode`: standard | pooled, of the agents it deploys."""

    function: Callable[..., Any]
    kind: Kind = "task"
    image: str | None = None
    command: str | list[str] | None = None
    input: Any = None
    streaming: bool = False
    batch_size: int | None = None
    max_parallel: int | None = None
    timeout: str | float | None = None
    retry_policy: RetryPolicy | None = None
    error_strategy: str | None = None
    min_success_rate: float | None = None
    pool: Mapping[str, Any] | None = None
    execution_mode: str = "standard"
    works_for: str | None = None
    then: Part | None = None

    @property
    def method(self) -> str:
        return self.function.__name__

    @property
    def where(self) -> str:
        """How messages name it."""
        return f"step {self.method}"

    @property
    def has_body(self) -> bool:
        """Whether its method does the work, and not an image or a command."""
        return self.image is None and self.command is None

    @property
    def run(self) -> dict[str, Any]:
        """What does the work of one without a body, as documents say it."""
        given = {"command": self.command, "image": self.image}
        return {name: value for name, value in given.items() if value is not None}

    @cached_property
    def named(self) -> dict[str, Any]:
        """The parameters that `input` fills, each with its value."""
        return dict(self.input) if isinstance(self.input, Mapping) else {}

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
        if self.kind != "task" and len([one for one in extra if one.name not in self.named]) > 1:
            gets = "item" if self.kind == "map" else "results"
            raise DefinitionError(
                f"{self.where} may have one parameter after ctx, which gets the {gets};"
                " take the run's params from ctx.params, and fill others by input={…}."
            )
        return {one.name: one for one in extra}

    def arguments(self, given: Any) -> Arguments:
        """The method's arguments out of the input that `inputs` laid out."""
        values = given if isinstance(given, dict) else {}
        params = values.get(PARAMS) or {}
        if self.kind != "task":
            value = values.get(_SINGLE[self.kind])
            keywords = {name: values[name] if name in self.named else value for name in self.extra}
            return Arguments(value, params, keywords)
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
        context._mode = self.execution_mode
        if arguments.params:
            context.params = dict(arguments.params)
        result = self.function(owner, context, **arguments.keywords)
        if self.then is None:
            return result
        return self._awaited_items(result) if inspect.isawaitable(result) else self._items(result)

    async def _awaited_items(self, result: Awaitable[Any]) -> Any:
        return self._items(await result)

    def _items(self, result: Any) -> Any:
        """What a method of `@mapreduce` may return: items, or a source in their place. Raises TypeError."""
        if isinstance(result, Mapping) and "source" in result:
            return {ITEMS: returned(self.where, result)}
        if not isinstance(result, Mapping) or not isinstance(result.get(ITEMS), list | tuple):
            told = type(result).__name__ if not isinstance(result, Mapping) else f"keys {sorted(result)}"
            raise TypeError(f'{self.where} must return {{"items": […]}} or {{"source": …}}, not {told}.')
        if result.get("batch_size") is not None:
            return {
                ITEMS: returned(self.where, {"source": result[ITEMS], "batch_size": result["batch_size"]})
            }
        return result
