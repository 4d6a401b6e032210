"""The process that runs bodies, one request after the other, until the agent closes the socket or kills it.

Does not: check fences, tokens or deadlines; the agent does, before and above it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import hashlib
import inspect
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from agentainer_flow.agent import channel
from agentainer_flow.agent.bodies import Body, BodyMissing, Bundles, Call, Codes, with_stream
from agentainer_flow.agent.capture import Captured
from agentainer_flow.agent.channel import Channel
from agentainer_flow.agent.commands import CommandFailed, Commands
from agentainer_flow.agent.failures import describe, error
from agentainer_flow.agent.frames import CODE, NEED, POSITION, RUN, START, BrokenFrame
from agentainer_flow.agent.outputs import MAX_OUTPUT, BadOutput, encode, line
from agentainer_flow.agent.scratch import Scratch

Handle = Callable[[Any, dict[str, Any]], Any]
AGENT_FILES = str(Path(__file__).parent) + os.sep


def run(sock: socket.socket, handle: Handle | None, scratch: Scratch) -> None:
    """Its `work` is where bodies find themselves, and where their temporary files go."""
    sys.dont_write_bytecode = True  # space is scarce where bundles lie
    scratch.wipe_after_command()
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch.work)
    worker = Worker(sock, handle, scratch)
    with contextlib.suppress(EOFError, OSError):
        worker.serve()


class Worker:
    def __init__(self, sock: socket.socket, handle: Handle | None, scratch: Scratch) -> None:
        self._channel = channel.current = Channel(sock)
        self._captured = Captured(self._channel)
        self._inbox = self._channel.inbox
        self._codes = Codes()
        self._bundles = Bundles(scratch.bundles)
        self._commands = Commands(scratch)
        self._work = scratch.work
        self._own = None if handle is None else Body(cast(Call, handle), _files_of(handle))
        self._runner: asyncio.Runner | None = None
        self._room = MAX_OUTPUT

    def serve(self) -> None:
        """Raises `EOFError` when the agent closes the socket."""
        start = 0
        while True:
            kind, payload = self._inbox.read()
            if kind == START:
                (start,) = POSITION.unpack(payload)
            elif kind == RUN:
                request = json.loads(payload)
                del payload  # it may be large
                self._request(request, start)
                del request
                start = 0
            else:
                raise BrokenFrame(f"a message of kind {kind!r}")

    def _request(self, request: dict[str, Any], start: int) -> None:
        inputs = request["inputs"] if "inputs" in request else [request.get("input")]
        context = request.get("context") or {}
        self._room = MAX_OUTPUT
        self._channel.begin()
        self._channel.item = start
        self._go_home()
        body = self._body(request, context)
        for item in range(start, len(inputs)):
            self._channel.item = item
            began = time.perf_counter()
            answer = body if isinstance(body, bytes) else self._item(body, inputs[item], context)
            took = time.perf_counter() - began
            self._captured.end_lines()
            if not self._channel.ours:
                os._exit(0)  # a body forked, and this is the other one, which lost its way
            self._channel.send_item(answer, took, last=item + 1 == len(inputs))
            self._captured.restore()

    def _go_home(self) -> None:
        try:
            os.chdir(self._work)
        except OSError:
            with contextlib.suppress(OSError):
                self._work.mkdir(parents=True, exist_ok=True)
                os.chdir(self._work)

    def _body(self, request: dict[str, Any], context: Mapping[str, Any]) -> Body | bytes:
        """What to call, or the answer of every item when that cannot be had."""
        if self._own is not None:
            return self._own
        runs = request["runs"]
        try:
            if "command" in runs:
                return Body(self._commands.body(runs["command"], lambda: self._channel.item), _not_ours)
            if "code" in runs:
                return self._code(runs["code"], context.get("step_id"))
            return self._bundles.get(runs["bundle"], runs["handler"])
        except BodyMissing as exc:
            return line(error(exc.kind, str(exc)))
        except BaseException as exc:  # what the user's module raises when it is loaded, SystemExit too
            return line(describe(exc, _not_ours))

    def _code(self, sha: str, step_id: object) -> Body:
        if not self._codes.has(sha):
            self._channel.send(NEED, sha.encode())
            kind, source = self._inbox.read()
            if kind != CODE or hashlib.sha256(source).hexdigest() != sha:
                raise BrokenFrame("another message than the code that was asked for")
            self._codes.load(sha, source.decode(), step_id)
        return self._codes.get(sha)

    def _item(self, body: Body, value: Any, context: dict[str, Any]) -> bytes:
        try:
            if context.get("stream") is not None:
                value = with_stream(value)
            output = body.call(value, context)
            if inspect.isawaitable(output):
                output = self._awaited(output)
            encoded = encode(output)
            if len(encoded) > self._room:
                limit = MAX_OUTPUT // 1024**2
                raise BadOutput(f"The output of a request is limited to {limit} MiB; this is more.")
            self._room -= len(encoded)
        except BadOutput as exc:
            return line(error("bad_output", str(exc)))
        except CommandFailed as exc:
            return line(error(exc.kind, str(exc), exc.last_words))
        except BaseException as exc:  # SystemExit and KeyboardInterrupt end a body, not its worker
            return line(describe(exc, body.owns))
        return b'{"output":%b}' % encoded

    def _awaited(self, output: Any) -> Any:
        """On one loop for all bodies, so that connections they keep stay usable; tasks left over end here."""
        if self._runner is None or self._runner.get_loop().is_closed():
            self._runner = asyncio.Runner()
        runner = self._runner
        try:
            return runner.run(_await(output), context=contextvars.copy_context())
        finally:
            left = asyncio.all_tasks(runner.get_loop())
            if left:
                runner.run(_end(left))


async def _await(output: Any) -> Any:
    return await output


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _files_of(handle: Handle) -> Callable[[str], bool]:
    code = getattr(inspect.unwrap(handle), "__code__", None)
    return _not_ours if code is None else code.co_filename.__eq__


def _not_ours(name: str) -> bool:
    """Tells a user's file where nothing more is known: neither the agent's nor the import system's."""
    return not name.startswith((AGENT_FILES, "<frozen ")) and "importlib" not in name
