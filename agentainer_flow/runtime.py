"""The agent's side of SDK steps: a target ``module:Class.method`` of the active bundle becomes a call.

One object of each class serves all calls of this process. Needs the standard library alone.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from agentainer_flow.context import Context, ask
from agentainer_flow.sdk.steps import MARK, Step


class StepMissing(LookupError):
    """The bundle has no such step."""


_objects: dict[type, Any] = {}


def call_step(target: str, given: Any, context: Mapping[str, Any]) -> Any:
    """The step's result, or something to await. Raises StepMissing, and whatever the user's code raises."""
    module_name, _, path = target.partition(":")
    owner, function = _find(importlib.import_module(module_name), path)
    step = getattr(function, MARK, None)
    bound = new_context(given, context)
    if isinstance(step, Step):
        return step.call(_object(owner), bound, given)
    return _call_plain(getattr(_object(owner), path.rpartition(".")[2]), bound, given)


def new_context(given: Any, context: Mapping[str, Any]) -> Context:
    """Of the item that runs; `context` is the request's, `given` the item's input."""
    values = {**context, "item_index": _item_index(context)}
    return Context(values, input=given, log=_log, talk=_talk())


def call(op: str, args: dict[str, Any]) -> Any:
    """Asks the executor; the result, or something to await where an event loop runs. Raises errors of
    `agentainer_flow.errors`."""
    return ask(_talk(), op, args)


def _find(module: Any, path: str) -> tuple[type, Any]:
    owner: Any = None
    found = module
    for name in path.split("."):
        owner, found = found, getattr(found, name, None)
        if found is None:
            raise StepMissing(f"The module {module.__name__} has no {path}.")
    if not isinstance(owner, type):
        raise StepMissing(f"{path} of {module.__name__} is not a method of a class.")
    return owner, found


def _object(owner: type) -> Any:
    if owner not in _objects:
        _objects[owner] = owner()
    return _objects[owner]


def _call_plain(method: Callable[..., Any], context: Context, given: Any) -> Any:
    """A method without @step: an object is spread over keyword arguments after the context."""
    if isinstance(given, dict):
        return method(context, **given)
    return method(context) if given is None else method(context, given)


def _channel() -> Any:
    """The worker's channel; None outside an agent."""
    channel = sys.modules.get("agentainer_flow.agent.channel")
    return None if channel is None else channel.current


def _talk() -> Any:
    """What the item that runs may say; None outside an agent."""
    talk = sys.modules.get("agentainer_flow.agent.talk")
    return None if talk is None else talk.current()


def _item_index(context: Mapping[str, Any]) -> Any:
    """Of a batch, the context tells the indexes of all items, and the channel which one is at work."""
    channel, indexes = _channel(), context.get("item_indexes")
    if channel is None or not indexes or channel.item >= len(indexes):
        return context.get("item_index")
    return indexes[channel.item]


def _log(stream: str, text: str) -> None:
    channel = _channel()
    if channel is None:
        print(text)
    else:
        channel.log(stream, text)
