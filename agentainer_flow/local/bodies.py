"""What does the work of a step here: a method of the class, a function of its module, code of a document.

Does not: answer for images (mocks do), or run anything by itself.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import linecache
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from agentainer_flow.agent.bodies import as_main
from agentainer_flow.context import Context
from agentainer_flow.errors import BundleError
from agentainer_flow.sdk.steps import MARK, Step

_PACKAGE = str(Path(__file__).resolve().parents[1])
NewContext = Callable[[Any], Context]  # of an input


@dataclass(frozen=True, slots=True)
class Body:
    """`call` takes the input and makes the Context by what it is given; `asynchronous` bodies may share the
    run's event loop, others get a thread."""

    call: Callable[[Any, NewContext], Any]
    asynchronous: bool


def owns(file: str) -> bool:
    """Whether a traceback's file is the user's."""
    return not file.startswith((_PACKAGE, "<frozen ")) and "importlib" not in file


class Bodies:
    """Of one workflow. `cls`: the class it was compiled of; None for a document. One object of each class
    serves all calls of a run."""

    def __init__(self, cls: type | None) -> None:
        self._cls = cls
        self._objects: dict[type, Any] = {}
        self._known: dict[str, Body] = {}

    def get(self, run: Mapping[str, Any]) -> Body:
        """Of a step's `run`. Raises BundleError, and whatever loading the user's code raises."""
        key = run["handler"] if run.get("handler") else run["code"]
        if key not in self._known:
            self._known[key] = self._handler(key) if run.get("handler") else _code(key)
        return self._known[key]

    def _handler(self, target: str) -> Body:
        module_name, _, path = target.partition(":")
        if self._cls is not None and module_name == self._cls.__module__:
            own = f"{self._cls.__qualname__}."
            if path.startswith(own):
                return self._method(self._cls, path.removeprefix(own))
        found: Any = sys.modules.get(module_name) or importlib.import_module(module_name)
        owner: Any = None
        for name in path.split("."):
            owner, found = found, getattr(found, name, None)
            if found is None:
                raise BundleError(f"The module {module_name} has no {path}.")
        if isinstance(owner, type):
            return self._method(owner, path.rpartition(".")[2])
        return _function(found)

    def _method(self, owner: type, name: str) -> Body:
        function = getattr(owner, name)
        step = getattr(function, MARK, None)
        instance = self._object(owner)
        if not isinstance(step, Step):
            return _function(getattr(instance, name))

        def call(value: Any, new_context: NewContext) -> Any:
            return step.call(instance, new_context(value), value)

        return Body(call, inspect.iscoroutinefunction(step.function))

    def _object(self, owner: type) -> Any:
        if owner not in self._objects:
            self._objects[owner] = owner()
        return self._objects[owner]


def _function(function: Callable[..., Any]) -> Body:
    main = as_main(function, lambda value, new_context: new_context(value))  # type: ignore[operator]
    return Body(main, inspect.iscoroutinefunction(function))  # type: ignore[arg-type]


def _code(source: str) -> Body:
    name = f"agentainer_step_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    lines = source.splitlines(keepends=True)
    linecache.cache[name] = (len(source), None, lines, name)  # for tracebacks and debuggers
    module = ModuleType(name)
    sys.modules[name] = module  # dataclasses and the like look their module up
    exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)
    main = getattr(module, "main", None)
    if not callable(main):
        raise BundleError("The code defines no function main.")
    return _function(main)
