"""`@mapreduce` on a class: a workflow that is one mapreduce.

    @mapreduce(pool_size=5)
    class WordCount:
        def items(self, ctx): return {"source": "texts/"}
        def mapper(self, ctx, item): ...
        def reducer(self, ctx, results): ...

`items` lists what is mapped; a class with only one public method may call it otherwise. Images given to the
decorator do the work in place of methods. With `@workflow(…)` above it, that says the rest; without, the
class is a workflow as it is, and the parameters of `items` are its params.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from agentainer_flow.errors import DefinitionError
from agentainer_flow.sdk.mapreducing import MapReduce, worker
from agentainer_flow.sdk.steps import MARK, Step

C = TypeVar("C")
_ROLES = ("mapper", "reducer")
_LISTS = "items"


def decorate(cls: Any, part: MapReduce) -> Any:
    """The class, with its mapreduce. Raises DefinitionError."""
    from agentainer_flow.sdk.decorators import workflow  # which knows this module's users

    where = f"@mapreduce on {cls.__name__}"
    methods: dict[str, Callable[..., Any]] = {
        name: one for name, one in vars(cls).items() if inspect.isfunction(one) and name[0] != "_"
    }
    workers = {role: methods.pop(role) for role in _ROLES if role in methods and getattr(part, role) is None}
    lists = _listing(where, methods)
    for role, method in workers.items():
        part = replace(part, **{role: worker(where, role, method)})  # type: ignore[arg-type]
    if part.mapper is None:
        raise DefinitionError(
            f"{where}: a mapper is missing; give mapper=…, or write a method mapper(self, ctx, item)."
        )
    part(lists)
    step = getattr(lists, MARK)
    assert isinstance(step, Step)
    return workflow(params=_params(step) if step.extra else None)(cls)


def _listing(where: str, methods: dict[str, Callable[..., Any]]) -> Callable[..., Any]:
    """The method that gives the items."""
    if _LISTS in methods:
        return methods[_LISTS]
    own = [one for one in methods.values() if getattr(one, MARK, None) is None]
    if len(own) == 1:
        return own[0]
    found = f"it has {', '.join(one.__name__ for one in own)}" if own else "it has none"
    raise DefinitionError(
        f'{where}: one method gives {{"items": […]}} or {{"source": …}}; call it items ({found}).'
    )


def _params(step: Step) -> dict[str, Any]:
    needed = [name for name, one in step.extra.items() if one.default is one.empty]
    properties = {
        name: {} if one.default in (one.empty, None) else {"default": one.default}
        for name, one in step.extra.items()
    }
    return {"type": "object", "properties": properties, "required": needed}
