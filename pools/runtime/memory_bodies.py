"""Bodies of the in-memory runtime: the twin of the built-in agent's `main`, `ctx` and calls, for tests alone.

A body runs in a thread of this process; what it says and asks are lines for its agent's answer. The server
never imports the SDK, hence this small copy of what bodies hold on to.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

Behaviour = Callable[[Any, "Talk"], Any]  # input, talk -> output
Emit = Callable[[dict[str, Any]], None]  # a line of the answer, from any thread

# Of ctx.state: the names of each call's arguments, and the values of those that may be left out.
OPERATIONS: Mapping[str, tuple[tuple[str, ...], Mapping[str, Any]]] = {
    "get": (("key", "default"), {"default": None}),
    "set": (("key", "value"), {}),
    "delete": (("key",), {}),
    "increment": (("key", "by"), {"by": 1}),
    "append_to_list": (("key", "value"), {}),
    "add_to_set": (("key", "value"), {}),
    "compare_and_set": (("key", "expected", "value"), {}),
    "all": ((), {}),
}


class CallFailed(Exception):
    """The executor's error, or the end of the request."""


class BodyFailed(Exception):
    """With the type of the error that the answer has."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Talk:
    """Of one request. `item` is the one at work."""

    def __init__(self, lease: str, context: Mapping[str, Any], numbers: Iterator[int], emit: Emit) -> None:
        self.lease = lease
        self.context = context
        self.item = 0
        self._numbers = numbers
        self._emit = emit
        self._open: dict[int, Future[Any]] = {}
        self._ended = False
        self.process: subprocess.Popen[bytes] | None = None  # of a command

    def say(self, kind: str, value: Any) -> None:
        if not self._ended:
            self._emit({kind: value, "item": self.item})

    def log(self, text: str, stream: str = "log") -> None:
        self.say("log", {"at": time.time(), "stream": stream, "text": text, "item": self.item})

    def call(self, op: str, args: Mapping[str, Any]) -> Any:
        """The result; where an event loop runs, something to await."""
        if self._ended:
            raise CallFailed("The request that this call belongs to has ended.")
        number = next(self._numbers)
        future = self._open[number] = Future()
        self._emit({"call": {"id": number, "op": op, "args": dict(args), "item": self.item}})
        return asyncio.wrap_future(future) if _in_loop() else future.result()

    def take(self, reply: Mapping[str, Any]) -> bool:
        """Whether it was a reply to an open call."""
        future = self._open.pop(reply["id"], None)
        if future is None or not future.set_running_or_notify_cancel():
            return False
        if "error" in reply:
            future.set_exception(CallFailed(reply["error"]["message"]))
        else:
            future.set_result(reply["result"])
        return True

    def end(self) -> None:
        """Threads that wait for a reply go on, in an error; a command is killed."""
        self._ended = True
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        while self._open:
            self.take({"id": next(iter(self._open)), "error": {"message": "The request has ended."}})


class Context:
    """The twin of the SDK's."""

    def __init__(self, value: Any, talk: Talk) -> None:
        self.input = value
        self.params = dict(talk.context.get("params") or {})
        self.run_id = talk.context.get("run_id", "")
        self.state = State(talk)
        self._talk = talk

    def log(self, *values: object) -> None:
        self._talk.log(" ".join(map(str, values)))

    def progress(self, value: Any, message: str | None = None) -> Any:
        self._talk.say("progress", value if message is None else {"value": value, "message": message})
        return asyncio.sleep(0) if _in_loop() else None

    emit_progress = progress

    def metric(self, name: str, value: float) -> Any:
        self._talk.say("metric", {"name": name, "value": value, "item": self._talk.item})
        return None


class State:
    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in OPERATIONS:
            raise AttributeError(name)
        names, defaults = OPERATIONS[name]

        def operation(*values: Any, **named: Any) -> Any:
            args = {**defaults, **dict(zip(names, values, strict=False)), **named}
            return self._talk.call(f"state.{name}", args)

        return operation


class Results:
    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    def _page(self, after: Any) -> Any:
        return self._talk.call("results.next", {"after": after, "max": 100})

    def __iter__(self) -> Iterator[Any]:
        page: dict[str, Any] = {"cursor": 0, "done": False}
        while not page["done"]:
            page = self._page(page["cursor"])
            yield from page["results"]

    async def __aiter__(self) -> AsyncIterator[Any]:
        page: dict[str, Any] = {"cursor": 0, "done": False}
        while not page["done"]:
            page = await self._page(page["cursor"])
            for result in page["results"]:
                yield result


def load(source: str) -> Behaviour:
    scope: dict[str, Any] = {}
    exec(compile(source, "<code>", "exec"), scope)
    main = scope["main"]
    takes_context = "ctx" in inspect.signature(main).parameters

    def behave(value: Any, talk: Talk) -> Any:
        if talk.context.get("stream") == "results":
            value = {**(value or {}), "results": Results(talk)}
        if not isinstance(value, dict):
            return main(value, ctx=Context(value, talk)) if takes_context else main(value)
        if takes_context and "ctx" not in value:
            return main(**value, ctx=Context(value, talk))
        return main(**value)

    return behave


def command(words: Sequence[str]) -> Behaviour:
    """The twin of a command: a program of this machine."""

    def behave(value: Any, talk: Talk) -> Any:
        pipe = subprocess.PIPE
        try:
            talk.process = subprocess.Popen(
                words, stdin=pipe, stdout=pipe, stderr=pipe, env=_environment(talk), start_new_session=True
            )
        except OSError as exc:
            raise BodyFailed("command_not_started", f"{words[0]} could not be started: {exc}.") from exc
        said, told = talk.process.communicate(json.dumps(value).encode() + b"\n")
        for line in told.decode().splitlines():
            talk.log(line, "stderr")
        if talk.process.returncode:
            how = f"The command ended with exit code {talk.process.returncode}."
            raise BodyFailed("command_failed", how)
        try:
            return json.loads(said) if said.strip() else None
        except ValueError as exc:
            raise BodyFailed("bad_output", f"The command printed no JSON: {said[:200]!r}.") from exc

    return behave


def _environment(talk: Talk) -> dict[str, str]:
    indexes = talk.context.get("item_indexes") or [talk.context.get("item_index")]
    told = {name: talk.context.get(name) for name in ("workflow_id", "run_id", "step_id", "attempt")}
    told["item_index"] = indexes[talk.item]
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        **{f"AGENTAINER_{name.upper()}": str(value) for name, value in told.items() if value is not None},
    }


def outcome(behave: Behaviour, value: Any, talk: Talk) -> dict[str, Any]:
    """Runs the body in this thread; what an item's answer has."""
    try:
        output = behave(value, talk)
        if inspect.isawaitable(output):
            output = asyncio.run(_awaited(output))
        json.dumps(output)
    except Exception as exc:
        kind = exc.kind if isinstance(exc, BodyFailed) else type(exc).__name__
        return {"error": {"type": kind, "message": str(exc), "traceback": None}}
    return {"output": output}


async def _awaited(output: Any) -> Any:
    return await output


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def numbers() -> Iterator[int]:
    return itertools.count(1)
