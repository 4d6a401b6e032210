"""Who counts independently of the platform: the engine's containers, Redis' keys, the kernel's figures of
memory; and who kills."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import docker
import redis
from docker.errors import APIError, DockerException

from pools.leases.scripts import prefix_of

KILL_EVERY = 10.0  # seconds, on average, as with the others
LOOK_EVERY = 10.0
WARM_UP = 1 / 3  # of the time, that the slope of memory leaves out
ORPHAN_AFTER = 120.0  # seconds that a container may run without a place in Redis: it is being made, or ends
CHECK_WITHIN = 2.0


class Witness:
    """`settings`: the environment of the platform's processes; `pids` of these by their names."""

    def __init__(self, settings: dict[str, str], pids: dict[str, int], pool_id: str) -> None:
        self._label = f"agentainer.instance={settings['AFLOW_INSTANCE']}"
        self._prefix = prefix_of(settings["AFLOW_INSTANCE"])
        self._pool = pool_id
        self._redis = redis.Redis.from_url(settings["REDIS_URL"], decode_responses=True)
        self._docker = docker.from_env()
        self._pids = pids
        self.seen: Counter[str] = Counter()
        self._strangers: dict[str, float] = {}  # containers that Redis does not know, and since when
        self._orphans: set[str] = set()
        self.memory: list[tuple[float, dict[str, float]]] = []
        self._most = 0

    def tasks(self, ends: float, chance: random.Random) -> list[Coroutine[Any, Any, None]]:
        return [
            self._repeat(lambda: self._kill_one(chance), KILL_EVERY, ends, chance),
            self._repeat(self._look, LOOK_EVERY, ends, chance),
        ]

    async def _repeat(
        self, act: Callable[[], Coroutine[Any, Any, None]], pause: float, ends: float, chance: random.Random
    ) -> None:
        while time.monotonic() < ends - pause:
            # In step with each other, every look would see what was killed this moment.
            await asyncio.sleep(pause * chance.uniform(0.5, 1.5))
            try:
                await act()
            except (DockerException, redis.RedisError, OSError) as exc:
                self.seen[f"trouble {type(exc).__name__}"] += 1

    def _containers(self, *, every: bool = False) -> list[Any]:
        """Of the pool; `every`: those that do not run, too."""
        labels = [self._label, f"agentainer.pool={self._pool}"]
        return list(self._docker.containers.list(all=every, filters={"label": labels}, ignore_removed=True))

    async def _kill_one(self, chance: random.Random) -> None:
        found = await asyncio.to_thread(self._containers)
        if found:
            try:
                await asyncio.to_thread(chance.choice(found).kill)
                self.seen["killed"] += 1
            except APIError:
                self.seen["ended before its kill"] += 1

    async def _look(self) -> None:
        containers = await asyncio.to_thread(self._containers, every=True)
        self._most = max(self._most, len(containers))
        known = await asyncio.to_thread(self._agents_in_redis)
        now = time.monotonic()
        strangers = {c.id for c in containers if c.labels.get("agentainer.agent", "") not in known}
        self._strangers = {ref: self._strangers.get(ref, now) for ref in strangers}
        self._orphans |= {ref for ref, since in self._strangers.items() if now - since > ORPHAN_AFTER}
        await self._check([c for c in containers if c.labels.get("agentainer.agent", "") in known])
        self.memory.append((now, await asyncio.to_thread(self._memory)))

    def _agents_in_redis(self) -> set[str]:
        call: Any = self._redis
        return set(call.smembers(f"{self._prefix}:pool:{self._pool}:agents"))

    async def _check(self, containers: list[Any]) -> None:
        """Our own checks of all that are in service, by their addresses."""
        timeout = aiohttp.ClientTimeout(total=CHECK_WITHIN)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            await asyncio.gather(*(self._check_one(http, container) for container in containers))

    async def _check_one(self, http: aiohttp.ClientSession, container: Any) -> None:
        networks = container.attrs["NetworkSettings"]["Networks"].values()
        address = next((network["IPAddress"] for network in networks if network["IPAddress"]), None)
        self.seen["own_checks"] += 1
        try:
            async with http.get(f"http://{address}:8000/health") as answer:
                failed = answer.status != 200
        except (aiohttp.ClientError, TimeoutError):
            failed = True
        self.seen["own_checks_failed"] += failed

    def _memory(self) -> dict[str, float]:
        """MB."""
        found = {}
        for name, pid in self._pids.items():
            try:
                found[name], found[f"{name}, its own"] = _pss(pid)
            except FileNotFoundError:
                self.seen[f"{name} was restarted"] += 1
        call: Any = self._redis
        found["redis data"] = call.info("memory")["used_memory"] / 1e6
        return found

    def memory_report(self) -> dict[str, dict[str, float]]:
        """Of each process: MB at the beginning and end of what is measured, and the slope in MB an hour."""
        if not self.memory:
            return {}
        first, last = self.memory[0][0], self.memory[-1][0]
        kept = [(at, found) for at, found in self.memory if at >= first + (last - first) * WARM_UP]
        report = {}
        for name in kept[-1][1]:
            points = [((at - first) / 3600, found[name]) for at, found in kept if name in found]
            edge = max(1, len(points) // 10)
            report[name] = {
                "first_mb": round(sum(value for _, value in points[:edge]) / edge, 1),
                "last_mb": round(sum(value for _, value in points[-edge:]) / edge, 1),
                "slope_mb_an_hour": round(slope(points), 2),
            }
        return report

    def figures(self) -> dict[str, Any]:
        checks = max(1, self.seen["own_checks"])
        return {
            "killed": self.seen["killed"],
            "most_containers": self._most,
            "orphans_seen": len(self._orphans),
            "own_checks": self.seen["own_checks"],
            "own_checks_failed_percent": round(100 * self.seen["own_checks_failed"] / checks, 3),
            "witnessed": {name: number for name, number in sorted(self.seen.items()) if "own" not in name},
        }

    async def left_over(self, agents: int) -> dict[str, Any]:
        return await asyncio.to_thread(self._left_over, agents)

    def _left_over(self, agents: int) -> dict[str, Any]:
        """By the keys alone, without the platform's help."""
        base = f"{self._prefix}:pool:{self._pool}"
        call: Any = self._redis
        counts: dict[str, int] = {
            "lease keys": sum(1 for _ in call.scan_iter(f"{self._prefix}:lease:*")),
            "leases": call.zcard(f"{base}:leases"),
            "holders": call.hlen(f"{base}:holders"),
            "waiters": call.hlen(f"{base}:waiters"),
            "turns": call.zcard(f"{base}:turns"),
            "inboxes": sum(call.llen(key) for key in call.scan_iter(f"{self._prefix}:client:*")),
        }
        known = self._agents_in_redis()
        for agent in known:
            counts["busy"] = counts.get("busy", 0) + int(call.hget(f"{self._prefix}:agent:{agent}", "busy"))
            counts["reserved"] = counts.get("reserved", 0) + int(
                call.hget(f"{self._prefix}:agent:{agent}", "reserved")
            )
        running = {c.labels.get("agentainer.agent", "") for c in self._containers(every=True)}
        counts["containers that Redis does not know"] = len(running - known)
        counts["agents without a container"] = len(known - running)
        counts["agents too many or too few"] = abs(len(known) - agents)
        return {name: number for name, number in counts.items() if number}


def _pss(pid: int) -> tuple[float, float]:
    """MB: all of it, and without the pages of files (the database's grow with what is in it)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    return sizes["Pss"] * 1024 / 1e6, sizes["Pss_Anon"] * 1024 / 1e6


def slope(points: list[tuple[float, float]]) -> float:
    """Of the line of least squares."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
