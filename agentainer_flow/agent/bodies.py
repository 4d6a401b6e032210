"""Bodies of steps in the worker: loading the code of a step, or a function out of a bundle, and calling it.

Does not: fetch anything. Sources come from the agent, bundles lie unpacked on disk (see `bundles`).
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import linecache
import os
import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from agentainer_flow.agent import talk
from agentainer_flow.agent.results import ResultStream

CODES_KEPT = 64
CONTEXT = "ctx"  # the parameter of a `main` that gets the Context
RESULTS = "results"  # the key of the input that may come as a stream
RUNTIME = "agentainer_flow.runtime"  # the SDK's side of a step that is a method
_STEP_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")

_ANY = inspect.Parameter("value", inspect.Parameter.POSITIONAL_ONLY)

Call = Callable[[Any, Mapping[str, Any]], Any]  # input, context -> output, or something to await


class BodyMissing(Exception):
    """There is no such body; `kind` is the type of the error the caller gets."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Body:
    """A callable with the place of the user's own code, at which its tracebacks begin."""

    def __init__(self, call: Call, owns: Callable[[str], bool]) -> None:
        self.call = call
        self.owns = owns


def as_main(function: Callable[..., Any], new_context: Call | None = None) -> Call:
    """An object is spread over keyword arguments; null calls with nothing where nothing is required.

    A parameter named `ctx` that the object does not give gets the `Context` (of `new_context`; left out, the
    SDK's for agents); one that is alone gets nothing else, since `ctx.input` has the input.
    """
    parameters = _parameters(function)
    if _takes_context(parameters):
        sdk = None if new_context else _sdk()
        make = new_context or (sdk and sdk.new_context)
        if make:
            return _with_context(function, parameters, make)
    bare = not _needs_arguments(parameters)

    def call(value: Any, context: Mapping[str, Any]) -> Any:
        if isinstance(value, dict):
            return function(**value)
        if value is None and bare:
            return function()
        return function(value)

    return call


def _takes_context(parameters: Mapping[str, inspect.Parameter]) -> bool:
    own = parameters.get(CONTEXT)
    return own is not None and own.kind in (own.POSITIONAL_OR_KEYWORD, own.KEYWORD_ONLY)


def _with_context(
    function: Callable[..., Any], parameters: Mapping[str, inspect.Parameter], new_context: Call
) -> Call:
    others = {name: one for name, one in parameters.items() if name != CONTEXT}
    bare = not _needs_arguments(others)
    leads = next(iter(parameters)) == CONTEXT

    def call(value: Any, context: Mapping[str, Any]) -> Any:
        if isinstance(value, dict) and CONTEXT in value:
            return function(**value)
        ctx = new_context(value, context)
        if not others or (value is None and bare):
            return function(**{CONTEXT: ctx})
        if isinstance(value, dict):
            return function(**value, **{CONTEXT: ctx})
        # By position the input comes after a context that leads, else before it.
        return function(ctx, value) if leads else function(value, **{CONTEXT: ctx})

    return call


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {"value": _ANY}  # a builtin that does not tell


def _needs_arguments(parameters: Mapping[str, inspect.Parameter]) -> bool:
    spread = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return any(one.default is one.empty and one.kind not in spread for one in parameters.values())


def with_stream(value: Any) -> Any:
    """The input with a stream in the place of the results, which the executor keeps back."""
    sdk = _sdk()
    stream = ResultStream(talk.call if sdk is None else sdk.call)
    return {**value, RESULTS: stream} if isinstance(value, dict) else {RESULTS: stream}


class Codes:
    """The codes this worker has loaded, by their sha256."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[str, tuple[Body, str, list[str]]] = OrderedDict()

    def has(self, sha: str) -> bool:
        return sha in self._loaded

    def get(self, sha: str) -> Body:
        body, name, lines = self._loaded[sha]
        self._loaded.move_to_end(sha)
        # Two codes may share a name: the one that runs shows its own lines.
        _show_lines(name, lines)
        return body

    def load(self, sha: str, source: str, step_id: object) -> None:
        """Runs the module. Raises whatever it raises, and `BodyMissing` when it defines no `main`."""
        name = f"{step_id}.py" if isinstance(step_id, str) and _STEP_ID.match(step_id) else "step.py"
        lines = source.splitlines(keepends=True)
        _show_lines(name, lines)
        module = ModuleType(f"agentainer_step_{sha[:16]}")
        module.__file__ = name
        # Dataclasses and the like look their module up.
        sys.modules[module.__name__] = module
        try:
            exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)
            main = getattr(module, "main", None)
            if not callable(main):
                raise BodyMissing("bad_code", "The code defines no function main.")
        except BaseException:
            del sys.modules[module.__name__]
            raise
        self._loaded[sha] = Body(as_main(main), name.__eq__), name, lines
        if len(self._loaded) > CODES_KEPT:
            gone, _ = self._loaded.popitem(last=False)
            sys.modules.pop(f"agentainer_step_{gone[:16]}", None)


def _show_lines(name: str, lines: list[str]) -> None:
    # Without a time of change the cache does not look for a file of that name.
    linecache.cache[name] = (sum(map(len, lines)), None, lines, name)


class Bundles:
    """Functions out of unpacked bundles. Each bundle has its own modules: what two of them call by the same
    name are two modules. One is active at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._modules: dict[str, dict[str, ModuleType]] = {}
        self._bodies: dict[tuple[str, str], Body] = {}
        self._active = ""

    def get(self, sha: str, target: str) -> Body:
        """Raises `BodyMissing`, and whatever importing the module raises."""
        self._activate(sha)
        body = self._bodies.get((sha, target))
        if body is None:
            root = self._root(sha) + os.sep
            body = self._bodies[sha, target] = Body(_resolve(target), lambda name: name.startswith(root))
        return body

    def _root(self, sha: str) -> str:
        return str(self._directory / sha)

    def _activate(self, sha: str) -> None:
        if self._active == sha:
            return
        if self._active:
            root = self._root(self._active)
            ours = {name: module for name, module in sys.modules.items() if _lies_in(module, root)}
            for name in ours:
                del sys.modules[name]
            self._modules[self._active] = ours
            sys.path[:] = [entry for entry in sys.path if entry != root]
        self._active = sha
        sys.path.insert(0, self._root(sha))
        importlib.invalidate_caches()
        sys.modules.update(self._modules.get(sha, {}))


def _lies_in(module: object, root: str) -> bool:
    if not isinstance(module, ModuleType):
        return False
    places = [getattr(module, "__file__", None)]
    try:
        places += list(getattr(module, "__path__", ()))
    except Exception:  # a lazy module of somebody else may do anything here
        return False
    return any(isinstance(place, str) and place.startswith(root + os.sep) for place in places)


def _resolve(target: str) -> Call:
    module_name, _, path = target.partition(":")
    if not module_name or not path:
        raise BodyMissing("bad_handler", f"A handler is written module:function; this one is {target!r}.")
    if "." in path and (sdk := _sdk()) is not None:
        return lambda value, context: sdk.call_step(target, value, context)
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as exc:
        if exc.name and (module_name == exc.name or module_name.startswith(exc.name + ".")):
            raise BodyMissing("bad_handler", f"The bundle has no module {module_name}.") from None
        raise
    owner: Any = None
    for name in path.split("."):
        owner, found = found, getattr(found, name, None)
        if found is None:
            raise BodyMissing("bad_handler", f"The module {module_name} has no {path}.")
    if isinstance(owner, type) and inspect.isfunction(inspect.getattr_static(owner, name)):
        found = getattr(owner(), name)  # a plain method wants an object
    if not callable(found):
        raise BodyMissing("bad_handler", f"{target} cannot be called.")
    return as_main(found)


def _sdk() -> Any:
    """The SDK's module for agents; None where only the agent is installed."""
    if importlib.util.find_spec(RUNTIME) is None:
        return None
    return importlib.import_module(RUNTIME)
