"""The lease scripts on real Redis against a model, under any order of calls, repeats, losses and time-outs.

Time passes by moving expiries into the past, not by waiting. Numbers in comments are the invariants of the
pools' design.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings as django_settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pools.leases.scripts import Grant
from pools.leases.store import AsyncLeases
from pools.leases.wire import Wire

TEAM, CLIENT, MAX_USES = 7, "c1", 4
holders = st.sampled_from([f"h{number}" for number in range(8)])
picks = st.integers(0, 1000)


class LeaseMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.wire = Wire(django_settings.REDIS_URL)
        self.prefix = f"aflow:machine-{uuid4().hex[:8]}:pools"
        self.leases = AsyncLeases(self.wire, self.prefix)
        self.pool = uuid4()
        self.epoch = 1
        self.agents: set[UUID] = set()  # that live, as an engine would list them
        self.draining: set[UUID] = set()
        self.uses: dict[UUID, int] = {}
        self.held: dict[str, Grant] = {}  # by token
        self.holder_of: dict[str, str] = {}  # token -> holder
        self.waiting: dict[str, str] = {}  # holder -> token, in the order of arrival
        self.ended: set[str] = set()  # tokens that were released, lost, timed out or withdrawn
        self.last_fence = 0
        self.numbers = count(1)
        self.idle_seen: set[bytes] = set()

    def run_(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def redis(self, *command: Any) -> Any:
        return self.run_(self.wire.call(*command))

    def key(self, part: str) -> str:
        return self.leases.keys.pool(self.pool, part)

    def new_token(self) -> str:
        return f"t{next(self.numbers):05}"

    def order_idle(self) -> None:
        """Our own order in place of the milliseconds since an agent is idle: runs can be repeated."""
        idle = set(self.redis("ZRANGE", self.key("idle"), 0, -1))
        for agent in sorted(idle - self.idle_seen):
            self.redis("ZADD", self.key("idle"), next(self.numbers), agent)
        self.idle_seen = idle

    @initialize(agents=st.integers(0, 3))
    def begin(self, agents: int) -> None:
        self.run_(self.leases.begin_epoch(self.epoch, self.epoch * 2**32))
        self.run_(self.leases.put_pool(self.pool, TEAM, MAX_USES, ttl=3600))
        for _ in range(agents):
            self.add_agent()

    # --- what callers do ---------------------------------------------------------------------------------

    @precondition(lambda self: len(self.agents) < 6)
    @rule()
    def add_agent(self) -> None:
        agent = UUID(int=next(self.numbers))
        self.agents.add(agent)
        self.uses[agent] = 0
        self.register(agent)
        self.read_inbox()

    def register(self, agent: UUID) -> str:
        return str(
            self.run_(
                self.leases.register(self.pool, agent, "a:1", boot="b", nonce="n", uses=self.uses[agent])
            )
        )

    @precondition(lambda self: self.agents)
    @rule(pick=picks)
    def register_again(self, pick: int) -> None:
        agent = sorted(self.agents)[pick % len(self.agents)]
        assert self.register(agent) == "known"

    @rule(holder=holders)
    def acquire(self, holder: str) -> None:
        token = self.new_token()
        answer = self.run_(
            self.leases.acquire(str(self.pool), holder, client=CLIENT, team_id=TEAM, token=token, wait=3600)
        )
        current = next(
            (held for held, of in self.holder_of.items() if of == holder and held in self.held), None
        )
        if current is not None:
            # 10: the same attempt has one lease.
            assert answer.grant is not None
            assert answer.grant.token == current
            assert answer.grant.fence == self.held[current].fence
        elif answer.grant is not None:
            self.granted(answer.grant, holder)
        else:
            assert answer.outcome == "waiting"
            self.waiting.setdefault(holder, token)
        self.read_inbox()

    def granted(self, grant: Grant, holder: str) -> None:
        # 7: a grant is neither doubled nor given to one who has gone.
        assert grant.token not in self.held
        assert grant.token not in self.ended
        # 1: fences strictly rise.
        assert grant.fence > self.last_fence
        self.last_fence = grant.fence
        # 1, 5: one lease for each agent, none on one that drains.
        assert grant.agent_id not in {held.agent_id for held in self.held.values()}
        assert grant.agent_id in self.agents - self.draining
        # 6
        assert grant.uses_left == MAX_USES - self.uses[grant.agent_id] > 0
        self.waiting.pop(holder, None)
        self.held[grant.token] = grant
        self.holder_of[grant.token] = holder

    def read_inbox(self) -> None:
        """What the Broker's listener would take; grants go out first come, first served."""
        inbox = self.leases.keys.client(CLIENT)
        while (message := self.redis("LPOP", inbox)) is not None:
            kind, _, rest = message.partition(b"|")
            if kind == b"lost":
                assert rest.decode() in self.ended
                continue
            grant = Grant.parse(rest)
            first = next(iter(self.waiting))
            assert self.waiting[first] == grant.token
            self.granted(grant, first)
        self.order_idle()

    def end(self, token: str) -> Grant:
        self.ended.add(token)
        return self.held.pop(token)

    @precondition(lambda self: self.held)
    @rule(pick=picks, outcome=st.sampled_from(["ok", "error", "poison"]), uses=st.integers(0, 6))
    def release(self, pick: int, outcome: str, uses: int) -> None:
        token = sorted(self.held)[pick % len(self.held)]
        grant = self.end(token)
        assert self.run_(self.leases.release(token, outcome, uses))
        self.uses[grant.agent_id] += min(uses, grant.uses_left)
        if outcome == "poison" or self.uses[grant.agent_id] >= MAX_USES:
            self.draining.add(grant.agent_id)
        assert not self.run_(self.leases.release(token, outcome, uses)), "a second release does nothing"
        self.read_inbox()

    @precondition(lambda self: self.held)
    @rule()
    def heartbeat(self) -> None:
        tokens = sorted(self.held)
        ended = sorted(self.ended)[:3]
        answers = self.run_(self.leases.heartbeat([*tokens, *ended]))
        assert all(answers[: len(tokens)])
        assert not any(answers[len(tokens) :])

    @precondition(lambda self: self.waiting)
    @rule(pick=picks, keep=st.booleans())
    def withdraw(self, pick: int, keep: bool) -> None:
        holder = sorted(self.waiting)[pick % len(self.waiting)]
        token = self.waiting.pop(holder)
        answer = self.run_(self.leases.withdraw(str(self.pool), holder, token, keep=keep))
        assert answer.outcome == "withdrawn"
        self.ended.add(token)

    @precondition(lambda self: self.held)
    @rule(pick=picks)
    def withdraw_after_the_grant(self, pick: int) -> None:
        """The waiter was cancelled while its grant was on the way: it goes back, unused."""
        token = sorted(self.held)[pick % len(self.held)]
        holder = self.holder_of[token]
        keep = self.run_(self.leases.withdraw(str(self.pool), holder, token, keep=True))
        assert keep.grant is not None
        self.end(token)
        answer = self.run_(self.leases.withdraw(str(self.pool), holder, token, keep=False))
        assert answer.outcome == "returned"
        again = self.run_(self.leases.withdraw(str(self.pool), holder, token, keep=False))
        assert again.outcome == "none"
        self.read_inbox()

    # --- what time and fate do -----------------------------------------------------------------------------

    @precondition(lambda self: self.held)
    @rule(pick=picks, who=st.sampled_from(["sweep", "heartbeat", "release", "acquire"]))
    def expire(self, pick: int, who: str) -> None:
        """Whoever meets an expired lease first ends it, and its agent is not used again."""
        token = sorted(self.held)[pick % len(self.held)]
        self.redis("HSET", f"{self.prefix}:lease:{token}", "expires", "1")
        self.redis("ZADD", self.key("leases"), "1", token)
        grant, holder = self.end(token), self.holder_of[token]
        self.draining.add(grant.agent_id)
        if who == "sweep":
            assert self.run_(self.leases.sweep([self.pool])) == 1
        elif who == "heartbeat":
            assert self.run_(self.leases.heartbeat([token])) == [0]
        elif who == "release":
            assert not self.run_(self.leases.release(token, "ok", 1))
        else:
            self.acquire(holder)
        self.read_inbox()

    @precondition(lambda self: self.waiting)
    @rule(pick=picks)
    def wait_runs_out(self, pick: int) -> None:
        holder = sorted(self.waiting)[pick % len(self.waiting)]
        token = self.waiting.pop(holder)
        self.redis("HSET", self.key("waiters"), holder, f"{token}|{CLIENT}|{TEAM}|1|1|1")
        self.run_(self.leases.sweep([self.pool]))
        self.ended.add(token)

    @precondition(lambda self: self.agents)
    @rule(pick=picks)
    def agent_dies(self, pick: int) -> None:
        agent = sorted(self.agents)[pick % len(self.agents)]
        lost = [token for token, grant in self.held.items() if grant.agent_id == agent]
        for token in lost:
            self.end(token)
        self.agents.discard(agent)
        self.draining.discard(agent)
        assert self.run_(self.leases.remove(agent)) == bool(lost)
        assert not self.run_(self.leases.remove(agent)), "removing is idempotent"
        self.read_inbox()

    @precondition(lambda self: self.agents)
    @rule(pick=picks)
    def drain(self, pick: int) -> None:
        agent = sorted(self.agents)[pick % len(self.agents)]
        self.run_(self.leases.drain(agent, "scale_down"))
        self.draining.add(agent)
        self.read_inbox()

    @rule(count=st.integers(0, 3), keep=st.integers(0, 3))
    def retire_idle(self, count: int, keep: int) -> None:
        taken = self.run_(self.leases.retire_idle(self.pool, count, idle=0, keep=keep, reason="scale_down"))
        assert len(taken) <= count
        assert not {grant.agent_id for grant in self.held.values()} & set(taken), "never under a lease"
        assert not (self.waiting and taken), "never while somebody waits"
        self.draining |= set(taken)
        self.order_idle()

    @rule()
    def controller_removes_the_condemned(self) -> None:
        for agent in self.run_(self.leases.agents([self.pool])):
            if agent.state == "condemned":
                assert agent.lease == "" or agent.lease in self.ended
                self.agents.discard(agent.id)
                self.draining.discard(agent.id)
                self.run_(self.leases.remove(agent.id))
        self.order_idle()

    @rule()
    def redis_loses_its_memory(self) -> None:
        for key in self.redis("KEYS", f"{self.prefix}*"):
            self.redis("DEL", key)
        answer = self.run_(
            self.leases.acquire(
                str(self.pool), "h0", client=CLIENT, team_id=TEAM, token=self.new_token(), wait=1
            )
        )
        assert answer.outcome == "no_epoch", "nothing is granted by a Redis without its memory"
        lost = list(self.held)
        self.ended |= set(lost) | set(self.waiting.values())
        self.held.clear()
        self.waiting.clear()
        self.agents -= self.draining
        self.draining.clear()
        self.epoch += 1
        self.run_(self.leases.begin_epoch(self.epoch, self.epoch * 2**32))
        self.run_(self.leases.put_pool(self.pool, TEAM, MAX_USES, ttl=3600))
        for agent in sorted(self.agents):
            self.register(agent)
        self.idle_seen = set()
        self.order_idle()
        if lost:
            assert self.run_(self.leases.heartbeat(lost)) == [0] * len(lost)

    # --- what always holds ---------------------------------------------------------------------------------

    @invariant()
    def each_agent_is_in_one_state_and_counters_are_a_recount(self) -> None:
        found = {agent.id: agent for agent in self.run_(self.leases.agents([self.pool]))}
        figures = self.run_(self.leases.figures([self.pool]))[self.pool]
        if figures.version < 0:
            return
        states = [agent.state for agent in found.values()]
        idle = {UUID(agent.decode()) for agent in self.redis("ZRANGE", self.key("idle"), 0, -1)}
        assert set(found) == self.agents  # 4: no phantom, nothing forgotten
        assert idle == {agent.id for agent in found.values() if agent.state == "idle"}  # 3
        assert figures.idle == states.count("idle")
        assert figures.condemned == states.count("condemned")
        assert figures.leases == states.count("leased") + states.count("draining") == len(self.held)
        assert figures.waiting == len(self.waiting) == self.redis("HLEN", self.key("waiters"))
        assert self.redis("HLEN", self.key("holders")) == len(self.held)

    @invariant()
    def nobody_waits_while_an_agent_is_idle(self) -> None:
        figures = self.run_(self.leases.figures([self.pool]))[self.pool]
        assert not (figures.idle and figures.waiting)  # 8

    @invariant()
    def uses_stay_within_their_limit(self) -> None:
        for agent in self.run_(self.leases.agents([self.pool])):
            assert agent.uses == self.uses[agent.id] <= MAX_USES  # 6

    def teardown(self) -> None:
        """13: when everybody has let go, nothing is left."""
        for holder, token in list(self.waiting.items()):
            self.run_(self.leases.withdraw(str(self.pool), holder, token, keep=False))
        for token in list(self.held):
            self.run_(self.leases.release(token, "ok", 0))
        left = self.redis("KEYS", f"{self.prefix}:lease:*")
        figures = self.run_(self.leases.figures([self.pool]))[self.pool]
        for key in self.redis("KEYS", f"{self.prefix}*"):
            self.redis("DEL", key)
        self.run_(self.wire.close())
        self.run_(asyncio.sleep(0))
        self.loop.close()
        assert left == []
        assert (figures.leases, figures.waiting) == (0, 0)


LeaseMachine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestLeases = LeaseMachine.TestCase
