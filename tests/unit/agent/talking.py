"""A client that answers the calls of bodies, as an executor does, over real sockets."""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from textwrap import dedent
from typing import Any

from tests.unit.agent.running import TOKEN, Answer, RunningAgent, sha256

LEASE = "lease-1"
Answerer = Callable[[dict[str, Any]], Any]  # a call -> its result; an Exception is told as an error


class Failure(Exception):
    """What an answerer raises to have it told."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Talking:
    """One request that is open. `lines` holds what came; `calls` those of them that nobody answered yet."""

    def __init__(self, agent: RunningAgent, request: dict[str, Any]) -> None:
        self.agent = agent
        self.lease = request["context"]["lease"]
        self.lines: list[Any] = []
        self.calls: queue.Queue[dict[str, Any]] = queue.Queue()
        self._client = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=20)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        self._client.request("POST", "/invoke", json.dumps(request), headers)
        self._sock = self._client.sock
        self._raw: list[bytes] = []
        self._response: http.client.HTTPResponse | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError, http.client.HTTPException):
            self._response = self._client.getresponse()
            for raw in self._response:
                self._raw.append(raw)
                line = json.loads(raw)
                self.lines.append(line)
                if "call" in line:
                    self.calls.put(line["call"])

    def call(self) -> dict[str, Any]:
        return self.calls.get(timeout=20)

    def reply(self, call: dict[str, Any] | int, result: Any = None, **more: Any) -> bool:
        """Whether it was delivered."""
        number = call if isinstance(call, int) else call["id"]
        told = more or {"result": result}
        answer = self.agent.post("/reply", {"lease": self.lease, "id": number, **told})
        assert answer.status == 200, answer
        return bool(answer.json["delivered"])

    def hang_up(self) -> None:
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.hang_up()
        self._thread.join(20)
        if self._response is not None:
            self._response.close()
        self._client.close()

    def wait(self) -> Answer:
        self._thread.join(20)
        assert not self._thread.is_alive()
        assert self._response is not None
        kind = self._response.headers.get("Content-Type", "")
        raw = b"".join(self._raw)
        self.close()
        return Answer(self._response.status, kind, dict(self._response.headers), raw)

    def answered(self, answerer: Answerer) -> Answer:
        """Answers each call as it comes, in this thread, until the end."""
        while self._thread.is_alive() or not self.calls.empty():
            with contextlib.suppress(queue.Empty):
                call = self.calls.get(timeout=0.01)
                try:
                    self.reply(call, answerer(call))
                except Failure as exc:
                    self.reply(call, error={"type": exc.kind, "message": str(exc)})
        return self.wait()


def request_of(source: str, value: Any = None, **more: Any) -> dict[str, Any]:
    source = dedent(source)
    request: dict[str, Any] = {"runs": {"code": sha256(source.encode())}, "source": source, "input": value}
    if "inputs" in more:
        del request["input"]
    request.update(more)
    request["context"] = {"lease": LEASE, **more.get("context", {})}
    return request


@contextlib.contextmanager
def talking(agent: RunningAgent, source: str, value: Any = None, **more: Any) -> Iterator[Talking]:
    open_ = Talking(agent, request_of(source, value, **more))
    try:
        yield open_
    finally:
        open_.close()


def talk(agent: RunningAgent, source: str, answerer: Answerer, value: Any = None, **more: Any) -> Answer:
    return Talking(agent, request_of(source, value, **more)).answered(answerer)


class Store:
    """An answerer with a run's state."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def __call__(self, call: dict[str, Any]) -> Any:
        args = call["args"]
        match call["op"]:
            case "state.get":
                return self.values.get(args["key"], args["default"])
            case "state.set":
                self.values[args["key"]] = args["value"]
                return None
            case "state.increment":
                self.values[args["key"]] = self.values.get(args["key"], 0) + args["by"]
                return self.values[args["key"]]
            case "state.all":
                return self.values
        raise Failure("not_supported", f"There is no {call['op']}.")


def pages(count: int, size: int, *, empty: int = 0) -> Answerer:
    """Answers `results.next` with the numbers below `count`, after some pages with nothing."""
    left = [empty]

    def answer(call: dict[str, Any]) -> Any:
        assert call["op"] == "results.next"
        assert call["args"]["max"] == 100
        start = call["args"]["after"]
        if left[0]:
            left[0] -= 1
            return {"results": [], "cursor": start, "done": False}
        stop = min(start + size, count)
        return {"results": list(range(start, stop)), "cursor": stop, "done": stop == count}

    return answer
