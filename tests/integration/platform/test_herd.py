"""A thousand programs ask one running platform for a lease in the same moment."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections import Counter
from contextlib import ExitStack
from urllib.parse import urlsplit

import aiohttp

from tests.fakes.pools import until
from tests.live_platform import LivePlatform

HERD, AGENTS = 1_000, 4
# A machine that is busy with a thousand others may be long in getting to the end of a lease.
ASKED = {"timeout": 60, "ttl": 600}
PATIENCE = aiohttp.ClientTimeout(total=300)


class Programs:
    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self.answers: Counter[int] = Counter()
        self.without_advice = 0  # refusals that do not say when to come again
        self.alive: Counter[int] = Counter()
        self.over = asyncio.Event()

    async def borrow(self) -> None:
        async with self._http.post("/api/v1/pools/herd/leases/", json=ASKED) as answer:
            self.answers[answer.status] += 1
            self.without_advice += (
                answer.status == 503 and not answer.headers.get("Retry-After", "").isdigit()
            )
            lease = await answer.json()
        if answer.status == 201:
            await self._give_back(lease["token"])

    async def _give_back(self, token: str) -> None:
        """Comes again when it is told to: a machine that is busy with a thousand others may not get to it."""
        while True:
            async with self._http.delete(f"/api/v1/leases/{token}/") as answer:
                if answer.status != 503:
                    self.answers[answer.status] += 1
                    return
                await asyncio.sleep(float(answer.headers["Retry-After"]))

    async def watch(self) -> None:
        while not self.over.is_set():
            async with self._http.get("/healthz") as answer:
                self.alive[answer.status] += 1
            await asyncio.sleep(0.1)


async def test_a_thousand_at_once(platform: LivePlatform) -> None:
    pool = {"name": "herd", "image": "agentainer/python-agent", "min_size": AGENTS, "max_size": AGENTS}
    assert platform.http.post("pools/", json=pool).status_code == 201

    def restarts() -> dict[str, int]:
        """Others have killed some of this platform's processes before."""
        return {process["name"]: process["restarts"] for process in platform.status()["processes"]}

    before = restarts()

    def shown() -> dict[str, int]:
        answer = platform.http.get("pools/herd/").json()
        return {**answer["states"], "waiting": answer["waiting"], "leases": answer["leases"]}

    await until(lambda: shown()["idle"] == AGENTS)
    headers = {"Authorization": f"Token {platform.credentials['token']}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        platform.url, headers=headers, timeout=PATIENCE, connector=connector
    ) as http:
        programs = Programs(http)
        watching = asyncio.create_task(programs.watch())
        await asyncio.gather(*(programs.borrow() for _ in range(HERD)))
        programs.over.set()
        await watching
    granted, refused = programs.answers[201], programs.answers[503]
    assert granted + refused == HERD, programs.answers
    assert programs.answers[204] == granted, "each lease was given back"
    assert granted > 0
    assert refused > 0
    assert programs.without_advice == 0
    assert set(programs.alive) == {200}

    def settled() -> bool:
        """An agent that served a hundred is replaced, also after the last of the herd."""
        now = shown()
        return (now["leases"], now["waiting"], now["idle"]) == (0, 0, AGENTS)

    await until(settled)
    assert platform.http.get("leases/?pool=herd").json()["results"] == []
    assert platform.http.delete("pools/herd/").status_code == 204
    assert restarts() == before


def test_a_thousand_connections_wait_for_a_web_process_that_is_busy(platform: LivePlatform) -> None:
    address = urlsplit(platform.url)
    (pid,) = (one["pid"] for one in platform.status()["processes"] if one["name"] == "web")
    with ExitStack() as open_then:
        os.kill(pid, signal.SIGSTOP)
        try:
            waiting = [
                open_then.enter_context(
                    socket.create_connection((address.hostname, address.port), timeout=10)
                )
                for _ in range(HERD)
            ]
        finally:
            os.kill(pid, signal.SIGCONT)
        for one in waiting:
            one.settimeout(60)
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert {one.recv(12) for one in waiting} == {b"HTTP/1.1 200"}
