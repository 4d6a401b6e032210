"""What a step's body may know about the call it serves, and what it may ask and tell while it runs.

Does not: talk with anybody by itself. The agent lends it its `Talk`; elsewhere there is none.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping
from difflib import get_close_matches
from typing import Any, Protocol

from agentainer_flow.errors import FlowError, InvalidRequest, NotSupportedError, api_error
from agentainer_flow.hiring import ParallelContext, Secrets, deploy, run_workflow

# Types of an executor's errors -> the HTTP status by which `errors` knows the same.
_STATUSES = {
    "invalid": 400,
    "not_authenticated": 401,
    "not_allowed": 403,
    "not_found": 404,
    "conflict": 409,
    "invalid_params": 400,
    "state_conflict": 409,
    "precondition_failed": 412,
    "too_large": 413,
    "overloaded": 503,
}
# The agent's own: there is nobody to ask.
_NOBODY = ("ended", "outside")

Log = Callable[[str, str], None]  # (stream, text)


class Talk(Protocol):
    """The agent's line to the executor. Errors have a `kind`: the type of the executor's error."""

    def call(self, op: str, args: dict[str, Any]) -> Any:
        """The result; something to await where an event loop runs."""

    def progress(self, value: Any) -> None: ...

    def metric(self, name: str, value: float) -> None: ...


class Context:
    """The first argument of an SDK step, and the argument `ctx` of a `main`.

    `workflow_id` (its name), `run_id`, `step_id`: text, empty outside a run. `item_index`: the item's place
    in a map (0-based), None elsewhere. `attempt`: 1 for the first try. `params`: the run's params. `input`:
    the step's input as JSON. `deadline`: seconds since 1970 at which the call is stopped, None without a
    time-out. `state`: the run's key-value store (`State`). `secrets`: the team's (`Secrets`).
    """

    __slots__ = (
        "_log",
        "_mode",
        "_params",
        "_talk",
        "_total",
        "attempt",
        "deadline",
        "input",
        "item_index",
        "run_id",
        "secrets",
        "state",
        "step_id",
        "workflow_id",
    )

    def __init__(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        input: Any = None,  # noqa: A002
        params: Mapping[str, Any] | None = None,
        log: Log | None = None,
        talk: Talk | None = None,
    ) -> None:
        """`params` defaults to those in `values`. Without `talk`, calls fail and progress goes nowhere."""
        given = values or {}
        self.workflow_id: str = str(given.get("workflow_id") or "")
        self.run_id: str = str(given.get("run_id") or "")
        self.step_id: str = str(given.get("step_id") or "")
        self.item_index: int | None = given.get("item_index")
        self.attempt: int = given.get("attempt") or 1
        self.deadline: float | None = given.get("deadline")
        self.input: Any = input
        self._params = None if given.get("params_omitted") else dict(params or given.get("params") or {})
        self.state = State(talk)
        self.secrets = Secrets(self._ask)
        self._total: int = given.get("item_total") or 0
        self._mode = "standard"
        self._log = log
        self._talk = talk

    @property
    def params(self) -> dict[str, Any]:
        """The run's params. Raises FlowError for params too large to come with each request: pass what a step
        needs of those as its input."""
        if self._params is None:
            raise FlowError(
                "The run's params are too large to come along; pass what the step needs as its input."
            )
        return self._params

    @params.setter
    def params(self, value: dict[str, Any]) -> None:
        self._params = value

    def log(self, *values: object) -> None:
        """Writes a line to the run's log; `values` are joined by spaces, as `print` does."""
        text = " ".join(str(value) for value in values)
        if self._log is None:
            print(text)
        else:
            self._log("log", text)

    def progress(self, value: Any, message: str | None = None) -> Awaitable[None]:
        """Tells how far the item is: any JSON value, such as 0.5, and a word on it.

        It is seen at once. May be awaited in async code, and need not be. Raises InvalidRequest for a value
        without a JSON form.
        """
        told = value if message is None else {"value": value, "message": str(message)}
        return self._tell(lambda talk: talk.progress(told))

    emit_progress = progress

    def metric(self, name: str, value: float) -> Awaitable[None]:
        """Tells a finite number under a name. May be awaited in async code, and need not be.

        Raises InvalidRequest for another value, or for a name that is not 1 to 100 characters.
        """
        return self._tell(lambda talk: talk.metric(name, value))

    def _tell(self, say: Callable[[Talk], None]) -> Awaitable[None]:
        if self._talk is not None:
            try:
                say(self._talk)
            except Exception as exc:
                raise typed(exc) from None
        return _TOLD

    def json(self, value: Any) -> str:
        """Writes a JSON value to the run's log, as one line, and returns its text. Raises InvalidRequest."""
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as exc:
            raise InvalidRequest(400, "invalid", f"ctx.json takes what has a JSON form: {exc}.") from None
        self.log(text)
        return text

    @property
    def parallel_context(self) -> ParallelContext | None:
        """Where the body of a parallel step stands; None in any other step."""
        if self.item_index is None:
            return None
        return ParallelContext(self.item_index, self._total, self.input)

    def deploy_agent(
        self,
        image: str | None = None,
        *,
        name: str | None = None,
        env: Mapping[str, Any] | None = None,
        cpu_limit: float | str | None = None,
        memory_limit: int | str | None = None,
        start: bool = True,
    ) -> Any:
        """An agent of an image (left out: the built-in one), which begins at once with this body's input: an
        `Agent`, whose `wait()` gives its output. With start=False it waits for `invoke`.

        A container of its own, or with execution_mode="pooled" of the step a lease from the pool of that
        image. A parallel step's item comes to it as {"item": …}. `name` is for people. `env`: its environment
        (texts). `cpu_limit`: CPUs, such as 0.5 or "500m"; `memory_limit`: bytes, or such as "512M". Raises
        InvalidRequest. Await it in async code.
        """
        given = {"item": self.input} if self.item_index is not None else self.input
        limits = (env, cpu_limit, memory_limit)
        return deploy(self._ask, self._mode, given, image, name, *limits, start=start)

    def run_workflow(
        self, workflow: str | type, params: Mapping[str, Any] | None = None, *, version: int | None = None
    ) -> Any:
        """Runs another workflow of the team, by its name or its class, and gives its output.

        It must be deployed. Raises NotFound, InvalidRequest for params that do not fit, RunFailed and
        RunCancelled. Await it in async code.
        """
        return run_workflow(self._ask, workflow, params, version)

    def _ask(self, op: str, args: dict[str, Any]) -> Any:
        return ask(self._talk, op, args)

    def __getattr__(self, name: str) -> Any:
        near = get_close_matches(name, [one for one in dir(type(self)) if one[0] != "_"], 1)
        raise AttributeError(f"a Context has no {name!r}" + (f"; did you mean {near[0]}?" if near else ""))

    def __repr__(self) -> str:
        return f"Context(run_id={self.run_id!r}, step_id={self.step_id!r}, item_index={self.item_index!r})"


class State:
    """The run's key-value store, shared by its steps. Keys are text, values any JSON value.

    Every method is one atomic step, asked of the executor while the body runs. In sync code it returns the
    value; where an event loop runs it returns something to await: `await ctx.state.get("k")`. All raise the
    errors of `agentainer_flow.errors`: InvalidRequest for what has no JSON form, Conflict for what does not
    fit the value that is there, NotSupportedError where the executor has no state, FlowError when the request
    has ended or no agent runs the body.
    """

    __slots__ = ("_talk",)

    def __init__(self, talk: Talk | None) -> None:
        self._talk = talk

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default` when there is none."""
        return self._call("state.get", {"key": key, "default": default})

    def set(self, key: str, value: Any) -> Any:
        return self._call("state.set", {"key": key, "value": value})

    def delete(self, key: str) -> Any:
        return self._call("state.delete", {"key": key})

    def increment(self, key: str, by: float = 1) -> Any:
        """Adds to a number (0 when there is none); the new value."""
        return self._call("state.increment", {"key": key, "by": by})

    def append_to_list(self, key: str, value: Any) -> Any:
        return self._call("state.append_to_list", {"key": key, "value": value})

    def add_to_set(self, key: str, value: Any) -> Any:
        """As `append_to_list`, once per value."""
        return self._call("state.add_to_set", {"key": key, "value": value})

    def compare_and_set(self, key: str, expected: Any, value: Any) -> Any:
        """Sets the value if the present one equals `expected`; whether it did."""
        return self._call("state.compare_and_set", {"key": key, "expected": expected, "value": value})

    def all(self) -> Any:
        """Every key with its value, as a dict."""
        return self._call("state.all", {})

    def _call(self, op: str, args: dict[str, Any]) -> Any:
        return ask(self._talk, op, args)


def ask(talk: Talk | None, op: str, args: dict[str, Any]) -> Any:
    """The result of a call, or something to await where an event loop runs. Raises errors of `errors`."""
    if talk is None:
        raise FlowError(f"{op} is there only while an agent runs the body; this is none.")
    if _in_loop():
        return _awaited(talk, op, args)
    try:
        return talk.call(op, args)
    except Exception as exc:
        raise typed(exc) from None


async def _awaited(talk: Talk, op: str, args: dict[str, Any]) -> Any:
    try:
        return await talk.call(op, args)
    except Exception as exc:
        raise typed(exc) from None


def typed(exc: Exception) -> Exception:
    """A failed call as one of the SDK's errors; anything else as it is."""
    kind = getattr(exc, "kind", None)
    if not isinstance(kind, str):
        return exc
    message = str(exc)
    if kind == "not_supported":
        return NotSupportedError(message)
    if kind in _NOBODY:
        return FlowError(message)
    return api_error(_STATUSES.get(kind, 500), {"code": kind, "detail": message})


class _Told:
    """Nothing is left to wait for."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


_TOLD = _Told()


def _in_loop() -> bool:
    asyncio = sys.modules.get("asyncio")  # where nobody has imported it no loop runs
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
