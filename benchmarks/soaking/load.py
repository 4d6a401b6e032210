"""What three tenants do to one pool, over HTTP, and what they saw of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import time
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import aiohttp

BORROWERS = 2  # of each tenant
RUNS_EVERY = 6.0  # seconds between two runs of a tenant
LEAVES_EVERY = 30.0  # seconds between two who hang up
ITEMS = 20  # of each run
LET_GO = 0.02  # share of leases; each costs an agent, which may still be at work for its holder
DEADLINE = 5.0  # seconds in which a probe must have its lease
TTL = 5.0  # of leases that are let go
WORK = "import time\n\ndef main(seconds):\n    time.sleep(seconds)\n    return seconds\n"
FINAL = ("completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: Any


@dataclass(slots=True)
class Tenant:
    number: int
    token: str
    http: aiohttp.ClientSession | None = field(default=None, repr=False)

    async def ask(self, method: str, path: str, body: Any = None) -> Reply:
        assert self.http is not None
        headers = {"Authorization": f"Token {self.token}"}
        async with self.http.request(method, f"/api/v1/{path}", json=body, headers=headers) as answer:
            content = await answer.read()
            return Reply(answer.status, json.loads(content) if content else None)

    async def get(self, path: str) -> Reply:
        return await self.ask("GET", path)


class Load:
    def __init__(self, url: str, tenants: list[Tenant], pool: str, chance: random.Random) -> None:
        self._url = url
        self.tenants = tenants
        self._pool = pool
        self._chance = chance
        self.seen: Counter[str] = Counter()
        self.probe_waits: list[float] = []
        self.failed_probes: list[dict[str, Any]] = []
        self.leased_seconds = 0.0
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Load:
        timeout = aiohttp.ClientTimeout(total=120)
        connector = aiohttp.TCPConnector(limit=0)
        self._http = aiohttp.ClientSession(self._url, timeout=timeout, connector=connector)
        for tenant in self.tenants:
            tenant.http = self._http
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._http is not None
        await self._http.close()

    async def prepare(self, agents: int) -> str:
        """The first tenant's pool, shared with the others, and a workflow of each on it. Returns its id."""
        owner, *others = self.tenants
        shares = [{"team": (await one.get("me/")).body["team"]["slug"], "weight": 1.0} for one in others]
        pool = {
            "name": self._pool,
            "image": "agentainer/python-agent",
            "min_size": agents,
            "max_size": agents,
            "max_uses": 400,
            "cpu": 0.5,
            "isolation": "shared",
            "shares": shares,
            "health_check_interval": 10,
        }
        answer = await owner.ask("POST", "pools/", pool)
        assert answer.status == 201, answer.body
        step = {
            "id": "m",
            "type": "map",
            "over": "${params.waits}",
            "as": "seconds",
            "run": {"code": WORK},
            "pool": self._pool,
            "max_parallel": 2,
            "timeout": "60s",
        }
        params = {"type": "object", "properties": {"waits": {"type": "array"}}, "required": ["waits"]}
        document = {"name": "soak-map", "params": params, "steps": [step]}
        for tenant in self.tenants:
            made = await tenant.ask("POST", "workflows/", document)
            assert made.status == 201, made.body
        until = time.monotonic() + 180
        while (await owner.get(f"pools/{self._pool}/")).body["states"]["idle"] < agents:
            assert time.monotonic() < until, "the pool did not fill"
            await asyncio.sleep(0.5)
        return str(answer.body["id"])

    def tasks(self, ends: float) -> list[Coroutine[Any, Any, None]]:
        work: list[Coroutine[Any, Any, None]] = []
        for tenant in self.tenants:
            work += [self._repeat(tenant, self._borrow, 0.5, ends) for _ in range(BORROWERS)]
            work += [self._repeat(tenant, self._leave_the_queue, LEAVES_EVERY, ends)]
            work += [self._repeat(tenant, self._run, RUNS_EVERY, ends)]
            work += [self._repeat(tenant, self._probe, 1.0, ends)]
        return work

    async def _repeat(self, tenant: Tenant, act: Any, pause: float, ends: float) -> None:
        while time.monotonic() < ends:
            try:
                await act(tenant)
            except (aiohttp.ClientError, TimeoutError) as exc:
                self.seen[f"trouble {type(exc).__name__}"] += 1
            await asyncio.sleep(pause * self._chance.uniform(0.5, 1.5))

    async def _lease(self, tenant: Tenant, wait: float, ttl: float = 30.0) -> Reply:
        return await tenant.ask("POST", f"pools/{self._pool}/leases/", {"timeout": wait, "ttl": ttl})

    async def _probe(self, tenant: Tenant) -> None:
        begun = time.monotonic()
        try:
            answer = await self._lease(tenant, DEADLINE)
        except (aiohttp.ClientError, TimeoutError) as exc:
            answer = Reply(0, str(exc))
        took = time.monotonic() - begun
        if answer.status == 201 and took <= DEADLINE:
            self.seen["probes_ok"] += 1
            self.probe_waits.append(took)
        else:
            self.failed_probes.append({"status": answer.status, "seconds": round(took, 2)})
        if answer.status == 201:
            await self._give_back(tenant, answer.body["token"], begun)

    async def _give_back(self, tenant: Tenant, token: str, begun: float) -> None:
        done = await tenant.ask("DELETE", f"leases/{token}/")
        self.seen["released" if done.status == 204 else "lost"] += 1
        self.leased_seconds += time.monotonic() - begun

    async def _borrow(self, tenant: Tenant) -> None:
        """A lease with some requests; some are let go without a word, and expire."""
        let_go = self._chance.random() < LET_GO
        answer = await self._lease(tenant, 30.0, TTL if let_go else 30.0)
        if answer.status != 201:
            self.seen[f"not leased {answer.status}"] += 1
            return
        begun, token = time.monotonic(), answer.body["token"]
        self.seen["leased"] += 1
        for _ in range(self._chance.randint(1, 4)):
            body = {"input": {"seconds": self._chance.uniform(0.0, 0.2)}, "code": WORK}
            done = await tenant.ask("POST", f"leases/{token}/invoke/", body)
            self.seen["calls" if done.status == 200 else f"calls {done.status}"] += 1
            if done.status != 200:
                return  # the agent died: the lease is over
        if let_go:
            self.seen["let_go"] += 1
            return
        await self._give_back(tenant, token, begun)

    async def _leave_the_queue(self, tenant: Tenant) -> None:
        """Somebody who asks and hangs up at once; a lease that was on its way ends by itself."""
        asking = asyncio.create_task(self._lease(tenant, 10.0, 2.0))
        await asyncio.sleep(self._chance.uniform(0.0, 0.05))
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError, aiohttp.ClientError):
            answer = await asking
            if answer.status == 201:
                await self._give_back(tenant, answer.body["token"], time.monotonic())
        self.seen["hung_up"] += 1

    async def _run(self, tenant: Tenant) -> None:
        waits = [round(self._chance.uniform(0.0, 0.1), 3) for _ in range(ITEMS)]
        made = await tenant.ask("POST", "workflows/soak-map/runs/", {"params": {"waits": waits}})
        if made.status != 201:
            self.seen[f"not started {made.status}"] += 1
            return
        path = f"runs/{made.body['id']}/"
        cancel_at = time.monotonic() + self._chance.uniform(0.1, 1.5) if self._chance.random() < 0.2 else None
        while (run := (await tenant.get(path)).body)["state"] not in FINAL:
            if cancel_at is not None and time.monotonic() >= cancel_at:
                await tenant.ask("POST", f"{path}cancel/")
                cancel_at = None
            await asyncio.sleep(0.25)
        self.seen[f"runs_{run['state']}"] += 1
        if run["state"] == "completed" and run["output"] is not None:
            self.seen["runs_wrong"] += run["output"] != waits

    def figures(self) -> dict[str, Any]:
        probes, waits = self.seen["probes_ok"] + len(self.failed_probes), sorted(self.probe_waits)
        return {
            "probes": probes,
            "availability_percent": round(100 * self.seen["probes_ok"] / max(1, probes), 3),
            "probe_p50_ms": round(1000 * waits[len(waits) // 2], 1) if waits else None,
            "probe_p99_ms": round(1000 * waits[int(len(waits) * 0.99)], 1) if waits else None,
            "failed_probes": self.failed_probes[-10:],
            "runs_completed": self.seen["runs_completed"],
            "runs_cancelled": self.seen["runs_cancelled"],
            "runs_failed": self.seen["runs_failed"] + self.seen["runs_wrong"],
            "seen": {name: number for name, number in sorted(self.seen.items()) if "probe" not in name},
        }

    async def health_told(self) -> dict[str, int]:
        """What the platform counted itself."""
        assert self._http is not None
        async with self._http.get("/metrics") as answer:
            text = await answer.text()

        def total(name: str) -> int:
            labels = rf'{{[^}}]*pool="{self._pool}"[^}}]*}}'
            pattern = rf"^agentainer_pool_agent_health_{name}_total{labels} (\S+)$"
            return int(sum(float(value) for value in re.findall(pattern, text, re.MULTILINE)))

        return {"checks": total("checks"), "failures": total("failures")}

    async def left_over(self, agents: int) -> dict[str, Any]:
        left: dict[str, Any] = {}
        shown = (await self.tenants[0].get(f"pools/{self._pool}/")).body
        if shown["states"]["idle"] != agents or sum(shown["states"].values()) != agents:
            left["states"] = shown["states"]
        for name in ("leases", "waiting"):
            if shown[name]:
                left[f"{name} by the API"] = shown[name]
        for tenant in self.tenants:
            if listed := len((await tenant.get(f"leases/?pool={self._pool}")).body["results"]):
                left[f"leases listed for tenant {tenant.number}"] = listed
        return left
