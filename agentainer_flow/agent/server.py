"""The agent: its routes, and which call runs when.

One call runs at a time, in the worker; others wait in their order. A call with a higher fence ends those with
a lower one. Calls whose client hung up are ended: nobody would learn their result.
Does not: run bodies (`worker`), or know HTTP's bytes (`http`).
"""

from __future__ import annotations

import asyncio
import hmac
import json
import socket
import uuid
from collections import deque
from collections.abc import Callable, Coroutine

from agentainer_flow.agent.aside import Aside
from agentainer_flow.agent.bundles import BadBundle, BundleStore
from agentainer_flow.agent.calls import SHA, BadCall, Call, read_json, read_reply
from agentainer_flow.agent.frames import (
    CALL,
    CODE,
    ITEM,
    LINE,
    NEED,
    NOTE,
    POSITION,
    REPLY,
    RUN,
    SECONDS,
    START,
    frame,
    head,
)
from agentainer_flow.agent.http import Connection, Exchange, Request, error_body
from agentainer_flow.agent.scratch import Scratch
from agentainer_flow.agent.settings import Settings
from agentainer_flow.agent.sources import Sources
from agentainer_flow.agent.workers import Worker, Workers, how_it_ended

MAX_WAITING = 256
LONGEST_TIMER = 10 * 86400.0
SMALL = 65536  # bytes that are cheaper to copy than to send on their own
LAST_BYTES = 5.0
CANCELLED = "cancelled"
STALE = "stale_fence"


class Agent:
    """`own` tells that a handler of the image answers, instead of code that comes with the request.
    `stopped` is set when there is nothing more to do, to the exit code."""

    def __init__(self, settings: Settings, scratch: Scratch, control: socket.socket, *, own: bool) -> None:
        self.boot = uuid.uuid4().hex
        self.connections: set[Connection] = set()
        self.stopped: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._own = own
        self._token = settings.token.encode()
        self._scratch = scratch
        self._bundles = BundleStore(scratch.bundles)
        self._disk = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sources = Sources()
        self._fence: int | None = None
        self._waiting: deque[Call] = deque()
        self._running: Call | None = None
        self._aside = Aside()
        self._asked = 0  # calls of bodies; never the same id again, so that no reply goes astray
        self._draining = False
        self._resetting = 0
        self._when_ended: list[Callable[[], None]] = []
        self._routes: dict[str, Callable[[Exchange], None]] = {
            "/health": self.health,
            "/invoke": self.invoke,
            "/cancel": self.cancel,
            "/park": self.park,
            "/reply": self.reply,
            "/reset": self.reset,
        }
        self._health = json.dumps({"status": "ok", "boot": self.boot}).encode()
        self._workers = Workers(control, self._heard, self._ended, self._no_spawner)
        self._worker: Worker | None = self._workers.spawn()

    # --- requests -------------------------------------------------------------------------------------

    def connection(self) -> Connection:
        return Connection(self.serve, self.trusts, self.connections, f"X-Agent-Boot: {self.boot}\r\n")

    def trusts(self, request: Request) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(token.encode("latin-1"), self._token)
        return not self._token or (same and scheme.lower() == "bearer")

    def serve(self, exchange: Exchange) -> None:
        request = exchange.request
        path, method = request.path, request.method
        if not (path == "/health" and method == "GET") and not self.trusts(request):
            exchange.fail(
                401, "unauthorized", "The token is missing or wrong.", "WWW-Authenticate: Bearer\r\n"
            )
            return
        action = self.put_bundle if path.startswith("/bundles/") else self._routes.get(path)
        if action is None:
            exchange.fail(404, "not_found", f"There is nothing at {path[:200]}.")
            return
        allowed = {"/health": "GET"}.get(path, "PUT" if path.startswith("/bundles/") else "POST")
        if method != allowed:
            message = f"{path[:200]} takes {allowed} alone."
            exchange.fail(405, "method_not_allowed", message, f"Allow: {allowed}\r\n")
            return
        try:
            action(exchange)
        except BadCall as exc:
            exchange.fail(400, "bad_request", str(exc))

    def health(self, exchange: Exchange) -> None:
        if self._draining:
            exchange.send(503, json.dumps({"status": "draining", "boot": self.boot}).encode())
        else:
            exchange.send(200, self._health)

    def invoke(self, exchange: Exchange) -> None:
        if self._draining or len(self._waiting) >= MAX_WAITING:
            kind = "shutting_down" if self._draining else "busy"
            exchange.fail(503, kind, "The agent takes no request now.")
            return
        call = Call(exchange)
        if self._own == bool(call.code or call.bundle or call.command):
            raise BadCall(
                'This agent runs its own handler; "runs" has no place here.' if self._own
                else '"runs" must tell what to run.'
            )  # fmt: skip
        if self._is_stale(call):
            self._refuse_stale(call)
            return
        if call.source is not None:
            self._sources.keep(call.code, call.source)
        if call.fence is not None:
            self._fence = call.fence
        exchange.on_gone = lambda: self._withdraw(call)
        self._waiting.append(call)
        if call.seconds is not None:
            delay = min(call.seconds, LONGEST_TIMER)
            if delay <= 0:
                self._too_late(call)
                return
            call.timer = asyncio.get_running_loop().call_later(delay, self._too_late, call)
        running = self._running
        if running is not None and self._is_stale(running):
            self._end(running, STALE, "A newer lease took the agent over.")
        self._next()

    def cancel(self, exchange: Exchange) -> None:
        lease = read_json(exchange.request.body).get("lease")
        if not isinstance(lease, str) or not lease:
            raise BadCall('"lease" must be the token of a lease.')
        found = [call for call in self._waiting if call.lease == lease]
        for call in found:
            self._drop(call, CANCELLED, "The request was cancelled before it ran.")
        worker, running = self._at_work(lease)
        if running is not None and worker is not None:

            def told() -> None:
                exchange.send(200, b'{"cancelled":true}')

            if running is self._running:
                self._when_ended.append(told)
            else:
                self._aside.when_ended(worker, told)
            self._end(running, CANCELLED, "The request was cancelled.")
        else:
            exchange.send(200, b'{"cancelled":true}' if found else b'{"cancelled":false}')

    def park(self, exchange: Exchange) -> None:
        """The body of this lease waits: others take their turn meanwhile, and it needs none to go on."""
        lease = read_json(exchange.request.body).get("lease")
        worker, call = self._at_work(lease if isinstance(lease, str) else "")
        if worker is not None and call is not None and call is self._running:
            self._aside.put(worker, call)
            self._running, self._worker = None, self._workers.spawn()
            self._next()
        exchange.send(*((200, b'{"parked":true}') if call is not None else (409, b'{"parked":false}')))

    def _at_work(self, lease: str) -> tuple[Worker | None, Call | None]:
        """The call of that lease that has begun, with its worker."""
        running = self._running
        if running is not None and running.lease == lease:
            return self._worker, running
        return self._aside.with_lease(lease) or (None, None)

    def reply(self, exchange: Exchange) -> None:
        """To a call of a body."""
        lease, number = read_reply(exchange.request.body)
        worker, call = self._at_work(lease)
        own = None
        if call is not None and worker is not None and call.ending is None:
            own = call.asked.pop(number, None)
            if own is not None:
                worker.send(frame(REPLY, exchange.request.body, POSITION.pack(own)))
        exchange.send(200, b'{"delivered":true}' if own is not None else b'{"delivered":false}')

    def reset(self, exchange: Exchange) -> None:
        self._resetting += 1
        for call in list(self._waiting):
            self._drop(call, CANCELLED, "The agent was reset.")
        for call in (self._running, *self._aside):
            if call is not None:
                self._end(call, CANCELLED, "The agent was reset.")

        def wipe() -> None:
            self._start(self._wipe(exchange))

        if self._worker is None:
            wipe()
        else:
            self._when_ended.append(wipe)
            self._workers.kill(self._worker)

    async def _wipe(self, exchange: Exchange) -> None:
        async with self._disk:
            self._sources.clear()
            await asyncio.to_thread(self._bundles.wipe)
            await asyncio.to_thread(self._scratch.wipe)
        self._resetting -= 1
        self._next()
        exchange.send(200, b'{"reset":true}')

    def put_bundle(self, exchange: Exchange) -> None:
        sha = exchange.request.path.removeprefix("/bundles/")
        if not SHA.match(sha):
            raise BadCall("A bundle's name is its sha256 in hexadecimal digits.")
        self._start(self._add_bundle(sha, exchange))

    async def _add_bundle(self, sha: str, exchange: Exchange) -> None:
        in_use = self._running.bundle if self._running is not None else ""
        async with self._disk:
            try:
                await asyncio.to_thread(self._bundles.add, sha, exchange.request.body, in_use)
            except BadBundle as exc:
                exchange.fail(exc.status, "bad_bundle", str(exc))
                return
            except OSError as exc:
                exchange.fail(500, "bad_bundle", f"The bundle could not be unpacked: {exc.strerror}.")
                return
        exchange.send(200, json.dumps({"sha256": sha, "size": len(exchange.request.body)}).encode())

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- which call runs ------------------------------------------------------------------------------

    def _is_stale(self, call: Call) -> bool:
        return call.fence is not None and self._fence is not None and call.fence < self._fence

    def _refuse_stale(self, call: Call) -> None:
        call.refuse(409, STALE, f"The fence {call.fence} is lower than {self._fence}, which was seen here.")

    def _next(self) -> None:
        while self._waiting and self._running is None and not self._resetting:
            call = self._waiting.popleft()
            if self._is_stale(call):
                self._refuse_stale(call)
            elif call.code and call.source is None and call.code not in self._sources:
                call.refuse(409, "code_missing", "The agent does not have this code; send its source.")
            elif call.bundle and not self._bundles.has(call.bundle):
                call.refuse(409, "bundle_missing", "The agent does not have this bundle; PUT it first.")
            else:
                self._run(call)
        if self._draining and self._running is None and not self._aside:
            self._stop(0)

    def _run(self, call: Call) -> None:
        if call.code:
            kept = self._sources.use(call.code)
            call.source = kept if call.source is None else call.source
        if call.complete:  # a batch of nothing
            call.finish()
            return
        self._running = call
        call.begin()
        if self._worker is None:
            self._worker = self._workers.spawn()
        self._worker.on_print = call.printed
        first = frame(START, POSITION.pack(len(call.answers))) if call.answers else b""
        if len(call.body) < SMALL:
            self._worker.send(first + frame(RUN, call.body))
        else:
            self._worker.send(first + head(RUN, len(call.body)))
            self._worker.send(call.body)

    def _heard(self, worker: Worker, kind: bytes, payload: bytes) -> None:
        call = self._running if worker is self._worker else self._aside.of(worker)
        if call is None or call.ending is not None:
            return
        if kind == ITEM and len(payload) > SECONDS.size:
            worker.read_prints()
            call.end_lines()
            call.add(memoryview(payload)[SECONDS.size :], *SECONDS.unpack_from(payload))
            if call.complete:
                self._complete(call, worker)
        elif kind == LINE:
            call.line(payload)
        elif kind == NOTE:
            call.note(payload)
        elif kind == NEED and call.source is not None:
            worker.send(frame(CODE, call.source))
        elif kind != CALL or not self._ask(call, payload):
            self._end(call, "worker_died", "The body broke the agent's own channel.")

    def _complete(self, call: Call, worker: Worker) -> None:
        worker.on_print = _drop_prints
        if self._aside.take(worker) is None:
            self._running = None
            for own in call.asked.values():  # of threads that the body left behind
                worker.send(frame(REPLY, POSITION.pack(own)))
        else:
            self._workers.kill(worker)  # another one has its place
        call.finish()
        self._next()

    def _ask(self, call: Call, payload: bytes) -> bool:
        if len(payload) < POSITION.size:
            return False
        self._asked += 1
        (own,) = POSITION.unpack_from(payload)
        return call.ask(self._asked, own, payload[POSITION.size :])

    # --- ends -----------------------------------------------------------------------------------------

    def _end(self, call: Call, kind: str, message: str) -> None:
        """The running call ends as soon as its worker is dead."""
        worker = self._worker if call is self._running else self._aside.worker_of(call)
        if call.ending is None and worker is not None:
            call.ending = kind, message
            self._workers.kill(worker)

    def _ended(self, worker: Worker, code: int) -> None:
        if worker is not self._worker:
            call = self._aside.take(worker)
            if call is not None:
                self._answer_ended(call, code)
                self._next()
            self._aside.tell_ended(worker)
            return
        self._worker = None
        call, self._running = self._running, None
        if call is not None:
            self._answer_ended(call, code)
        waiting, self._when_ended = self._when_ended, []
        for action in waiting:
            action()
        if self._worker is None and not self._draining and (call is not None or waiting):
            # At once, so that the next call finds it ready. One that died without work waits for work.
            self._worker = self._workers.spawn()
        self._next()

    def _answer_ended(self, call: Call, code: int) -> None:
        if call.ending is None:
            call.end_lines()
            call.add(error_body("worker_died", f"The body did not finish: {how_it_ended(code)}."))
            if call.complete:
                call.finish()
            elif self._running is None:
                self._run(call)  # the items after the one that ended the worker
            else:
                self._waiting.appendleft(call)
            return
        kind, message = call.ending
        if kind == STALE:
            call.refuse(409, kind, message)
        else:
            call.answer_rest(kind, message)
            call.finish()

    def _drop(self, call: Call, kind: str, message: str) -> None:
        """Ends a call that waits."""
        self._waiting.remove(call)
        call.answer_rest(kind, message)
        call.finish()

    def _withdraw(self, call: Call) -> None:
        """Its client is gone."""
        if call is self._running or self._aside.worker_of(call) is not None:
            self._end(call, CANCELLED, "The client hung up.")
        elif call in self._waiting:
            self._drop(call, CANCELLED, "The client hung up.")

    def _too_late(self, call: Call) -> None:
        message = "The deadline passed before the body finished."
        if call is self._running or self._aside.worker_of(call) is not None:
            self._end(call, "timeout", message)
        elif call in self._waiting:
            self._drop(call, "timeout", message)

    def _no_spawner(self) -> None:
        """Without it no body can be run or ended: whoever started the agent replaces it."""
        self._stop(1)

    def drain(self) -> None:
        """Finishes the call that runs, and those aside; refuses all others, then stops. Connections end with
        their answers; idle ones stay until then, for a reply to a body may be on its way."""
        self._draining = True
        for call in list(self._waiting):
            self._waiting.remove(call)
            call.refuse(503, "shutting_down", "The agent is shutting down.")
        for connection in self.connections:
            if connection.busy:
                connection.shut()
        self._next()

    def _stop(self, code: int) -> None:
        if not self.stopped.done():
            self.stopped.set_result(code)

    async def close(self) -> None:
        """Gives connections a moment for their last bytes."""
        for connection in list(self.connections):
            connection.shut()
        closed = [connection.closed for connection in self.connections]
        if closed or self._tasks:
            await asyncio.wait([*closed, *self._tasks], timeout=LAST_BYTES)
        self._workers.close()


def _drop_prints(_stream: str, _data: bytes) -> None:
    """Between calls nobody reads what is printed."""
