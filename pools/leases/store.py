"""The lease service: a method for each script, for coroutines (`AsyncLeases`) and threads (`Leases`)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import redis

from pools.leases.rules import ANY, LeaseRules
from pools.leases.scripts import (
    Answer,
    Grant,
    Keys,
    QueueFigures,
    Script,
    ServingAgent,
    load,
    wait_of,
)
from pools.leases.wire import Argument, Wire

INTERRUPTIONS_REMEMBERED = 3600  # seconds


class AsyncLeases:
    """Times in seconds unless the name says ms. Every method raises ConnectionError when Redis is away."""

    def __init__(self, wire: Wire, prefix: str, scripts: Mapping[str, Script] | None = None) -> None:
        self.wire = wire
        self.keys = Keys(prefix)
        self._prefix = prefix
        self._scripts = scripts or load()

    async def _run(self, name: str, *args: Argument) -> Any:
        return await self.wire.run(self._scripts[name], (self._prefix, *args))

    async def acquire(
        self,
        pool_id: str,
        holder: str,
        *,
        client: str,
        team_id: int,
        token: str,
        wait: float,
        priority: int = 0,
        ttl: float = 0.0,
        most_waiting: int = 0,
    ) -> Answer:
        """Idempotent for each holder: asking again keeps the place in the queue or returns the same lease.

        `ttl`: how long the lease lasts after each heartbeat; 0 for the pool's own. `most_waiting`: of how
        many waiters it may be the last; 0 for any number.
        """
        asked = (pool_id, holder, client, str(team_id), token)
        times = (str(max(0, int(wait * 1000))), str(priority), str(int(ttl * 1000)), str(most_waiting))
        return Answer.parse(await self._run("acquire", *asked, *times))

    async def withdraw(
        self, pool_id: str, holder: str, token: str, *, keep: bool, client: str = ""
    ) -> Answer:
        """`client`: nothing is given back that another has asked for since; empty: whoever has it."""
        answer = await self._run("withdraw", pool_id, holder, token, "1" if keep else "0", client)
        return Answer.parse(answer)

    async def release(self, token: str, outcome: str, uses: int, reason: str = "errors") -> bool:
        """False when the lease had been lost before."""
        reply: bytes = await self._run("release", token, outcome, str(uses), reason)
        return reply == b"released"

    async def park(self, token: str) -> bool:
        """The lease's body waits, and others may have its place. False when the lease is lost."""
        reply: bytes = await self._run("park", token)
        return reply == b"parked"

    async def resume(self, token: str) -> str:
        """`resumed`, `waiting` (its client's inbox will tell), or `lost`."""
        reply: bytes = await self._run("resume", token)
        return reply.decode()

    async def reclaim(self, pool_id: UUID, holders: str, keep: str) -> list[Grant]:
        """Ends the waits of holders that begin with `holders` and do not end with `keep`, and tells them that
        their leases are lost: these, to be released by whoever has stopped what runs under them."""
        return [Grant.parse(text) for text in await self._run("reclaim", str(pool_id), holders, keep)]

    async def take_back(self, pool_id: UUID, holders: str, keep: str) -> int:
        """Revokes the leases of such holders; their agents are not used again. Returns how many."""
        return int(await self._run("take_back", str(pool_id), holders, keep))

    async def heartbeat(self, tokens: Sequence[str]) -> list[int]:
        """New expiry in ms of the server's clock for each token, 0 for a lost lease."""
        return [int(expiry) for expiry in await self._run("heartbeat", *tokens)]

    async def sweep(self, pool_ids: Sequence[UUID]) -> int:
        return int(await self._run("sweep", *map(str, pool_ids)))

    async def register(
        self,
        pool_id: UUID,
        agent_id: UUID,
        address: str,
        *,
        boot: str = "",
        nonce: str = "",
        uses: int = 0,
        last_used_ms: int = 0,
        slots: int = 1,
        age: float = 0.0,
    ) -> str:
        """`added`, `known` (nothing changed), or `no_pool`. `slots`: leases that it can have at once."""
        figures = (str(uses), str(last_used_ms), str(slots), str(int(age * 1000)))
        reply: bytes = await self._run(
            "register", str(pool_id), str(agent_id), address, boot, nonce, *figures
        )
        return reply.decode()

    async def remove(self, agent_id: UUID) -> bool:
        """True when a lease was lost with the agent."""
        return bool(await self._run("remove", str(agent_id)))

    async def knows(self, agent_id: UUID) -> bool:
        """Whether the agent is in service, as far as Redis remembers."""
        return bool(await self.wire.call("EXISTS", self.keys.agent(agent_id)))

    async def uses_of(self, agent_id: UUID) -> int:
        """0 for one that is not in service."""
        return int(await self.wire.call("HGET", self.keys.agent(agent_id), "uses") or 0)

    async def drain(self, agent_id: UUID, reason: str) -> str:
        reply: bytes = await self._run("drain", str(agent_id), reason)
        return reply.decode()

    async def mark_interrupted(self, agent_id: UUID) -> None:
        """Remembered for an hour: leases that end with this agent are lost to an interruption."""
        await self.wire.call("SET", self.keys.interrupted(agent_id), "1", "EX", INTERRUPTIONS_REMEMBERED)

    async def was_interrupted(self, agent_id: UUID) -> bool:
        return bool(await self.wire.call("EXISTS", self.keys.interrupted(agent_id)))

    async def retire_idle(
        self, pool_id: UUID, count: int, *, idle: float, keep: int, reason: str, order: str = "lru"
    ) -> list[UUID]:
        found = await self._run(
            "retire_idle", str(pool_id), str(count), str(int(idle * 1000)), str(keep), reason, order
        )
        return [UUID(agent.decode()) for agent in found]

    async def put_pool(self, pool_id: UUID, rules: LeaseRules, *, instead_of: str = ANY) -> bool:
        """`instead_of`: only while those rules are there (their `text`, empty for none)."""
        return bool(await self._run("put_pool", str(pool_id), *rules.arguments(instead_of)))

    async def wake_at(self, pool_id: UUID, used: int, expected: int, spares: int) -> None:
        """The controller is nudged when the pool has been `used` so often, and until then when an agent
        begins its last use; 0: never. `expected`: uses within a start, for the next controller; `spares`:
        replacements that there should be beside the pool's size, for the scaler."""
        await self._run("wake_at", str(pool_id), str(used), str(expected), str(spares))

    async def rules_told(self, pool_ids: Sequence[UUID]) -> dict[UUID, str]:
        """The `text` of the rules that Redis has, of the pools that it knows."""
        asked = [self.wire.call("HGET", self.keys.pool_hash(pk), "rules") for pk in pool_ids]
        replies = await asyncio.gather(*asked)
        return {pk: text.decode() for pk, text in zip(pool_ids, replies, strict=True) if text is not None}

    async def drop_pool(self, pool_id: UUID) -> bool:
        return bool(await self._run("drop_pool", str(pool_id)))

    async def figures(self, pool_ids: Sequence[UUID]) -> dict[UUID, QueueFigures]:
        rows = await self._run("figures", *map(str, pool_ids))
        return {pool_id: QueueFigures(*row) for pool_id, row in zip(pool_ids, rows, strict=True)}

    async def agents(self, pool_ids: Sequence[UUID]) -> list[ServingAgent]:
        return ServingAgent.parse_all(await self._run("agents", *map(str, pool_ids)))

    async def count_check(self, pool_id: UUID, fault: str | None) -> None:
        """One check of an agent's health, and what was wrong with it."""
        if fault is not None:
            await self.wire.call("HINCRBY", self.keys.pool(pool_id, "health_failures"), fault, "1")
        await self.wire.call("INCR", self.keys.pool(pool_id, "health_checks"))

    async def begin_epoch(self, epoch: int, fence: int) -> int:
        return int(await self._run("begin_epoch", str(epoch), str(fence)))

    async def lead(self, token: str, ttl: float, silent: str = "") -> str:
        """Empty when the token leads, else what the leader said last; `silent`: what a dead one said."""
        reply: bytes = await self._run("lead", token, str(int(ttl * 1000)), "0", silent)
        return reply.decode()

    async def resign(self, token: str) -> None:
        await self._run("lead", token, "0", "1", "")

    async def nudge(self, what: str = "") -> None:
        await self.wire.call("PUBLISH", self.keys.nudge, what)


@dataclass(frozen=True, slots=True)
class HeldLease:
    """A live lease, with what is needed to use it. `used`: requests that were sent through the API; `ttl_ms`:
    how long each heartbeat keeps it; `since_ms`: when it began, by the server's clock."""

    token: str
    pool_id: UUID
    agent_id: UUID
    team_id: int
    holder: str
    address: str
    nonce: str
    fence: int
    expires_ms: int
    uses_left: int
    used: int
    ttl_ms: int
    since_ms: int

    @classmethod
    def of(cls, token: str, lease: Mapping[str, str], agent: Mapping[str, str]) -> HeldLease:
        return cls(
            token=token,
            pool_id=UUID(lease["pool"]),
            agent_id=UUID(lease["agent"]),
            team_id=int(lease["team"]),
            holder=lease["holder"],
            address=agent["address"],
            nonce=agent["nonce"],
            fence=int(lease["fence"]),
            expires_ms=int(lease["expires"]),
            uses_left=int(lease["uses_left"]),
            used=int(lease.get("used", 0)),
            ttl_ms=int(lease["ttl"]),
            since_ms=int(lease["at"]),
        )


MOST_PLACES = 10_000  # of a queue that are looked through
MOST_LEASES = 10_000  # of a pool that are listed


def _texts(row: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in row.items()}


class Leases:
    """The blocking twin, for requests: what the web needs of the scripts."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self.client = client
        self.keys = Keys(prefix)
        self._prefix = prefix
        self._scripts = load()

    def _run(self, name: str, *args: Argument) -> Any:
        script: Script = self._scripts[name]
        try:
            return self.client.evalsha(script.sha.decode(), 0, self._prefix, *args)
        except redis.exceptions.NoScriptError:
            return self.client.eval(script.text.decode(), 0, self._prefix, *args)

    def put_pool(self, pool_id: UUID, rules: LeaseRules) -> None:
        self._run("put_pool", str(pool_id), *rules.arguments())

    def drain_all(self, pool_id: UUID, reason: str) -> None:
        for agent_id in self.agents([pool_id]):
            self._run("drain", str(agent_id), reason)

    def figures(self, pool_ids: Sequence[UUID]) -> dict[UUID, QueueFigures]:
        if not pool_ids:
            return {}
        rows = self._run("figures", *map(str, pool_ids))
        return {pool_id: QueueFigures(*row) for pool_id, row in zip(pool_ids, rows, strict=True)}

    def agents(self, pool_ids: Sequence[UUID]) -> dict[UUID, ServingAgent]:
        if not pool_ids:
            return {}
        return {agent.id: agent for agent in ServingAgent.parse_all(self._run("agents", *map(str, pool_ids)))}

    def waits_ms(self, pool_ids: Sequence[UUID], within: float | None = None) -> dict[UUID, list[int]]:
        """The last waits of each pool, the newest first, in milliseconds; with `within` only those that ended
        in so many seconds before now, by the server's clock."""
        if not pool_ids:
            return {}
        pipe = self.client.pipeline(transaction=False)
        pipe.time()
        for pool_id in pool_ids:
            pipe.lrange(self.keys.pool(pool_id, "waits"), 0, -1)
        (seconds, micros), *found = pipe.execute()
        since = 0.0 if within is None else (seconds + micros / 1e6 - within) * 1000
        return {
            pool_id: [wait for wait, at in map(wait_of, waits) if at >= since]
            for pool_id, waits in zip(pool_ids, found, strict=True)
        }

    def place(self, pool_id: UUID, holders: str) -> int | None:
        """The place (from 1) of the first waiting holder that begins with `holders`; None when none waits.

        Other teams are counted as if each had the same weight: one of theirs for each of ours.
        """
        beginning, own, others = holders.encode(), None, []
        for team in self._range(pool_id, "turns"):
            names = self._range(pool_id, f"queue:{team.decode()}")
            place = next((n for n, name in enumerate(names, 1) if name.startswith(beginning)), None)
            if place is None:
                others.append(len(names))
            else:
                own = place
        return None if own is None else own + sum(min(own, length) for length in others)

    def _range(self, pool_id: UUID, part: str) -> list[bytes]:
        return list(self.client.zrange(self.keys.pool(pool_id, part), 0, MOST_PLACES))  # type: ignore[arg-type]

    def lease(self, token: str) -> HeldLease | None:
        """The live lease of that token."""
        found = self._hash(self.keys.lease(token))
        agent = self._hash(self.keys.agent_of(found["agent"])) if found else {}
        if not agent:
            return None
        return HeldLease.of(token, found, agent)

    def held(self, pool_ids: Sequence[UUID]) -> list[HeldLease]:
        """The live leases of these pools, in three round trips however many there are."""
        found = self._at_once("zrange", [self.keys.pool(pk, "leases") for pk in pool_ids], 0, MOST_LEASES - 1)
        tokens = [token.decode() for part in found for token in part]
        leases = [_texts(row) for row in self._at_once("hgetall", [self.keys.lease(one) for one in tokens])]
        agents = list({lease["agent"] for lease in leases if lease})
        rows = self._at_once("hgetall", [self.keys.agent_of(agent) for agent in agents])
        known = {agent: _texts(row) for agent, row in zip(agents, rows, strict=True) if row}
        return [
            HeldLease.of(token, lease, known[lease["agent"]])
            for token, lease in zip(tokens, leases, strict=True)
            if lease and lease["agent"] in known
        ]

    def _at_once(self, command: str, keys: Sequence[str], *arguments: int) -> list[Any]:
        if not keys:
            return []
        pipe = self.client.pipeline(transaction=False)
        for key in keys:
            getattr(pipe, command)(key, *arguments)
        return list(pipe.execute())

    def _hash(self, key: str) -> dict[str, str]:
        return _texts(dict(self.client.hgetall(key)))  # type: ignore[arg-type]

    def count_use(self, token: str) -> None:
        self.client.hincrby(self.keys.lease(token), "used", 1)

    def heartbeat(self, tokens: Sequence[str]) -> list[int]:
        """As `AsyncLeases.heartbeat`."""
        return [int(expiry) for expiry in self._run("heartbeat", *tokens)]

    def release(self, token: str, outcome: str, uses: int, reason: str = "errors") -> bool:
        """As `AsyncLeases.release`."""
        reply: bytes = self._run("release", token, outcome, str(uses), reason)
        return reply == b"released"

    def withdraw(self, pool_id: UUID, holder: str, token: str, *, client: str) -> None:
        """As `AsyncLeases.withdraw`, of what is not wanted any more."""
        self._run("withdraw", str(pool_id), holder, token, "0", client)

    def nudge(self, what: str = "") -> None:
        self.client.publish(self.keys.nudge, what)
