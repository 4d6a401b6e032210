"""The lease scripts on real Redis against a model, under any order of calls, repeats, losses and time-outs.

Three teams share a pool; agents take one or two leases at once; the rules of the pool are drawn. The clock is
the test's own: a millisecond for each script, and jumps. Numbers in comments are the invariants of the pools'
design.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings as django_settings
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pools.leases.rules import LeaseRules
from pools.leases.scripts import Grant, load
from pools.leases.store import AsyncLeases
from pools.leases.wire import Wire

CLIENT, MAX_USES, ERRORS = "c1", 4, 2
# Each script sees the next millisecond.
CLOCK = "local now = redis.call('INCR', ARGV[1] .. ':now')"
HOUR = 3_600_000  # milliseconds
TEAMS = {1: 1.0, 2: 2.0, 3: 1.0}
holders = st.sampled_from([f"h{number}" for number in range(9)])
picks = st.integers(0, 1000)


def team_of(holder: str) -> int:
    return 1 + int(holder[1:]) % len(TEAMS)


@dataclass
class ModelAgent:
    slots: int
    uses: int = 0
    errors: int = 0
    tenant: int | None = None
    draining: bool = False
    leases: dict[str, Grant] = field(default_factory=dict)  # by token, parked ones too
    parked: set[str] = field(default_factory=set)
    resuming: list[str] = field(default_factory=list)  # of those, in the order in which they asked

    @property
    def left(self) -> int:
        kept = (grant.uses_left for token, grant in self.leases.items() if token not in self.parked)
        return MAX_USES - self.uses - sum(kept)

    @property
    def condemned(self) -> bool:
        return self.draining and not self.leases

    def fits(self, team: int, mixes: bool) -> bool:
        free = self.running < self.slots and self.left > 0 and not self.draining
        return free and ((mixes and not self.parked) or self.tenant in (None, team))

    @property
    def running(self) -> int:
        return len(self.leases) - len(self.parked)

    def forget(self, token: str) -> None:
        del self.leases[token]
        self.parked.discard(token)
        self.resuming = [one for one in self.resuming if one != token]


@dataclass
class Waiter:
    holder: str
    token: str
    turn: tuple[int, int]  # the lower, the sooner


class LeaseMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.wire = Wire(django_settings.REDIS_URL)
        self.prefix = f"aflow:machine-{uuid4().hex[:8]}:pools"
        self.leases = AsyncLeases(self.wire, self.prefix, load(CLOCK))
        self.pool = uuid4()
        self.epoch = 1
        self.agents: dict[UUID, ModelAgent] = {}  # that live, as an engine would list them
        self.holder_of: dict[str, str] = {}  # token -> holder
        self.waiting: dict[str, Waiter] = {}  # by holder
        self.ended: set[str] = set()  # tokens that were released, lost, timed out or withdrawn
        self.last_fence = 0
        self.sent = 0  # requests, by the leases that were released
        self.numbers = count(1)
        self.law = LeaseRules(1, MAX_USES)
        self.latest = 0  # that the clock ever showed

    def run_(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def redis(self, *command: Any) -> Any:
        return self.run_(self.wire.call(*command))

    def key(self, part: str) -> str:
        return self.leases.keys.pool(self.pool, part)

    def new_token(self) -> str:
        return f"t{next(self.numbers):05}"

    @property
    def held(self) -> dict[str, Grant]:
        return {token: grant for agent in self.agents.values() for token, grant in agent.leases.items()}

    def pick_held(self, pick: int) -> tuple[str, Grant]:
        return sorted(self.held.items())[pick % len(self.held)]

    def pick_agent(self, pick: int) -> UUID:
        return sorted(self.agents)[pick % len(self.agents)]

    @initialize(
        agents=st.lists(st.integers(1, 2), max_size=3),
        assignment=st.sampled_from(["lifo", "round_robin", "least_used"]),
        mixes=st.booleans(),
        errors=st.sampled_from([0, ERRORS]),
    )
    def begin(self, agents: list[int], assignment: str, mixes: bool, errors: int) -> None:
        self.redis("SET", f"{self.prefix}:now", 1_700_000_000_000)
        shares = {team: weight for team, weight in TEAMS.items() if team != 1}
        self.law = LeaseRules(
            1, MAX_USES, ttl=3600, assignment=assignment, mixes=mixes, errors=errors, shares=shares
        )
        self.run_(self.leases.begin_epoch(self.epoch, self.epoch * 2**32))
        self.run_(self.leases.put_pool(self.pool, self.law))
        for slots in agents:
            self.add_agent(slots)

    # --- what callers do ---------------------------------------------------------------------------------

    @precondition(lambda self: len(self.agents) < 6)
    @rule(slots=st.integers(1, 2))
    def add_agent(self, slots: int) -> None:
        agent = UUID(int=next(self.numbers))
        self.agents[agent] = ModelAgent(slots)
        assert self.register(agent) == "added"
        self.read_inbox()

    def register(self, agent: UUID) -> str:
        model = self.agents[agent]
        work = self.leases.register(
            self.pool, agent, "a:1", boot="b", nonce="n", uses=model.uses, slots=model.slots
        )
        return str(self.run_(work))

    @precondition(lambda self: self.agents)
    @rule(pick=picks)
    def register_again(self, pick: int) -> None:
        assert self.register(self.pick_agent(pick)) == "known"

    @rule(holder=holders, priority=st.integers(-1, 1), most=st.sampled_from([0, 0, 2]))
    def acquire(self, holder: str, priority: int, most: int = 0) -> None:
        """`most`: how many may wait; 0 for any number."""
        token, team = self.new_token(), team_of(holder)
        answer = self.run_(
            self.leases.acquire(
                str(self.pool),
                holder,
                client=CLIENT,
                team_id=team,
                token=token,
                wait=3600,
                priority=priority,
                most_waiting=most,
            )
        )
        held = self.held
        current = next((mine for mine, of in self.holder_of.items() if of == holder and mine in held), None)
        if current is not None:
            # 10: the same attempt has one lease.
            assert answer.grant is not None
            assert (answer.grant.token, answer.grant.fence) == (current, held[current].fence)
        elif answer.grant is not None:
            self.granted(answer.grant, holder)
        elif answer.outcome == "full":
            assert holder not in self.waiting
            assert 0 < most <= len(self.waiting)
        else:
            assert answer.outcome == "waiting"
            assert holder in self.waiting or most == 0 or len(self.waiting) < most
            turn = (-priority, next(self.numbers))
            self.waiting.setdefault(holder, Waiter(holder, token, turn))
        self.read_inbox()

    @rule(team=st.integers(4, 5))
    def strangers_get_nothing(self, team: int) -> None:
        answer = self.run_(
            self.leases.acquire(str(self.pool), "x", client=CLIENT, team_id=team, token="x", wait=1)
        )
        assert answer.outcome == "no_pool"

    def granted(self, grant: Grant, holder: str) -> None:
        # 7: a grant is neither doubled nor given to one who has gone.
        assert grant.token not in self.held
        assert grant.token not in self.ended
        # 1: fences strictly rise.
        assert grant.fence > self.last_fence
        self.last_fence = grant.fence
        agent, team = self.agents[grant.agent_id], team_of(holder)
        # 1, 5, 6, 14: a free place, not on an agent that drains, uses to spend, no stranger's agent.
        assert agent.fits(team, self.law.mixes)
        assert 0 < grant.uses_left <= agent.left
        self.waiting.pop(holder, None)
        agent.leases[grant.token] = grant
        agent.tenant = team
        self.holder_of[grant.token] = holder

    def read_inbox(self) -> None:
        """What the Broker's listener would take; inside a team the turns decide."""
        inbox = self.leases.keys.client(CLIENT)
        while (message := self.redis("LPOP", inbox)) is not None:
            kind, _, rest = message.partition(b"|")
            if kind == b"lost":
                assert rest.decode() in self.ended
                continue
            if kind == b"resumed":
                self.resumed(rest.decode())
                continue
            grant = Grant.parse(rest)
            waiter = next(w for w in self.waiting.values() if w.token == grant.token)
            team = team_of(waiter.holder)
            assert waiter is min((w for w in self.of_team(team)), key=lambda w: w.turn)
            self.granted(grant, waiter.holder)
        self.notice_room()

    def of_team(self, team: int) -> Iterator[Waiter]:
        return (waiter for waiter in self.waiting.values() if team_of(waiter.holder) == team)

    def notice_room(self) -> None:
        """Idle agents that nobody who waits may have make room for fresh ones."""
        for seen in self.run_(self.leases.agents([self.pool])):
            agent = self.agents.get(seen.id)
            if agent is None or seen.state != "condemned" or agent.draining:
                continue
            assert not agent.leases
            assert seen.drain == "recycled"
            assert not self.law.mixes
            agent.draining = True

    def end(self, token: str, *, drain: bool = False) -> Grant:
        self.ended.add(token)
        grant = self.held[token]
        agent = self.agents[grant.agent_id]
        agent.forget(token)
        agent.draining = agent.draining or drain
        return grant

    def wear(self, agent: ModelAgent) -> None:
        """What a lease that ended leaves behind."""
        if agent.uses >= MAX_USES and not agent.leases:
            agent.draining = True

    @precondition(lambda self: self.held)
    @rule(pick=picks, outcome=st.sampled_from(["ok", "error", "poison"]), uses=st.integers(0, 6))
    def release(self, pick: int, outcome: str, uses: int) -> None:
        token, grant = self.pick_held(pick)
        agent = self.agents[grant.agent_id]
        self.end(token, drain=outcome == "poison")
        self.sent += min(uses, grant.uses_left)
        agent.uses = min(MAX_USES, agent.uses + min(uses, grant.uses_left))
        if outcome == "error":
            agent.errors += 1
            agent.draining = agent.draining or 0 < self.law.errors <= agent.errors
        elif outcome == "ok" and uses:
            agent.errors = 0
        self.wear(agent)
        assert self.run_(self.leases.release(token, outcome, uses))
        assert not self.run_(self.leases.release(token, outcome, uses)), "a second release does nothing"
        self.read_inbox()

    # --- bodies that wait ----------------------------------------------------------------------------------

    @precondition(lambda self: self.held)
    @rule(pick=picks)
    def park(self, pick: int) -> None:
        """Its body waits: the place is free, for who wants to resume there first."""
        token, grant = self.pick_held(pick)
        agent = self.agents[grant.agent_id]
        agent.parked.add(token)
        agent.resuming = [one for one in agent.resuming if one != token]
        assert self.run_(self.leases.park(token))
        assert self.run_(self.leases.park(token)), "twice is once"
        self.read_inbox()

    @precondition(lambda self: self.held)
    @rule(pick=picks)
    def resume(self, pick: int) -> None:
        token, grant = self.pick_held(pick)
        agent = self.agents[grant.agent_id]
        asked = token not in agent.resuming and token in agent.parked
        if asked:
            agent.resuming.append(token)
        there = agent.running < agent.slots
        self.read_inbox()
        answer = self.run_(self.leases.resume(token))
        if token not in agent.parked:
            assert answer == "resumed"
        elif there and agent.resuming[0] == token:
            assert answer == "resumed"
            self.read_inbox()  # it is told, too
            assert token not in agent.parked
        else:
            assert answer == "waiting"
        self.read_inbox()

    def resumed(self, token: str) -> None:
        """In their order, and never beyond the agent's places."""
        agent = self.agents[self.held[token].agent_id]
        assert agent.resuming.pop(0) == token
        agent.parked.remove(token)
        assert agent.running <= agent.slots

    @rule(token=st.sampled_from(["t00001", "nobody"]))
    def a_lost_lease_cannot_park(self, token: str) -> None:
        if token not in self.held:
            assert not self.run_(self.leases.park(token))
            assert self.run_(self.leases.resume(token)) == "lost"

    @precondition(lambda self: self.held)
    @rule()
    def heartbeat(self) -> None:
        tokens, ended = sorted(self.held), sorted(self.ended)[:3]
        answers = self.run_(self.leases.heartbeat([*tokens, *ended]))
        assert all(answers[: len(tokens)])
        assert not any(answers[len(tokens) :])

    @precondition(lambda self: self.waiting)
    @rule(pick=picks, keep=st.booleans())
    def withdraw(self, pick: int, keep: bool) -> None:
        waiter = self.waiting.pop(sorted(self.waiting)[pick % len(self.waiting)])
        answer = self.run_(self.leases.withdraw(str(self.pool), waiter.holder, waiter.token, keep=keep))
        assert answer.outcome == "withdrawn"
        self.ended.add(waiter.token)

    @precondition(lambda self: self.held)
    @rule(pick=picks)
    def withdraw_after_the_grant(self, pick: int) -> None:
        """The waiter was cancelled while its grant was on the way: it goes back, unused."""
        token, grant = self.pick_held(pick)
        holder = self.holder_of[token]
        keep = self.run_(self.leases.withdraw(str(self.pool), holder, token, keep=True))
        assert keep.grant is not None
        self.end(token)
        self.wear(self.agents[grant.agent_id])
        answer = self.run_(self.leases.withdraw(str(self.pool), holder, token, keep=False))
        assert answer.outcome == "returned"
        again = self.run_(self.leases.withdraw(str(self.pool), holder, token, keep=False))
        assert again.outcome == "none"
        self.read_inbox()

    @rule(holder=holders, stops=st.booleans())
    def another_goes_on(self, holder: str, stops: bool) -> None:
        """The holder is gone: its wait ends, and its agent serves on where it says that it has stopped."""
        waiter = self.waiting.pop(holder, None)
        if waiter is not None:
            self.ended.add(waiter.token)
        former = [token for token in self.held if self.holder_of[token] == holder]
        found = self.run_(self.leases.reclaim(self.pool, holder, "/next"))
        assert [grant.token for grant in found] == former
        for token in former:
            agent = self.agents[self.end(token, drain=not stops).agent_id]
            if stops:
                assert self.run_(self.leases.release(token, "ok", 1))
                self.sent += 1
                agent.uses = min(MAX_USES, agent.uses + 1)
                agent.errors = 0
            self.wear(agent)
        spoiled = self.run_(self.leases.take_back(self.pool, holder, "/next"))
        assert spoiled == (0 if stops else len(former))
        self.read_inbox()

    # --- what time and fate do -----------------------------------------------------------------------------

    @precondition(lambda self: self.held)
    @rule(pick=picks, who=st.sampled_from(["sweep", "heartbeat", "release", "acquire"]))
    def expire(self, pick: int, who: str) -> None:
        """Whoever meets an expired lease first ends it, and its agent is not used again."""
        token, _grant = self.pick_held(pick)
        self.redis("HSET", f"{self.prefix}:lease:{token}", "expires", "1")
        self.redis("ZADD", self.key("leases"), "1", token)
        self.end(token, drain=True)
        if who == "sweep":
            assert self.run_(self.leases.sweep([self.pool])) == 1
        elif who == "heartbeat":
            assert self.run_(self.leases.heartbeat([token])) == [0]
        elif who == "release":
            assert not self.run_(self.leases.release(token, "ok", 1))
        else:
            self.acquire(self.holder_of[token], 0)
        self.read_inbox()

    @precondition(lambda self: self.waiting)
    @rule(pick=picks)
    def wait_runs_out(self, pick: int) -> None:
        waiter = self.waiting.pop(sorted(self.waiting)[pick % len(self.waiting)])
        text = f"{waiter.token}|{CLIENT}|{team_of(waiter.holder)}|1|1|1|0"
        self.redis("HSET", self.key("waiters"), waiter.holder, text)
        self.run_(self.leases.sweep([self.pool]))
        self.ended.add(waiter.token)
        self.read_inbox()

    @rule(hours=st.sampled_from([-1, 2]))
    def clock_jumps(self, hours: int) -> None:
        """Forward over every lease and wait, which end; backward, which ends nothing."""
        now = int(self.redis("GET", f"{self.prefix}:now"))
        self.latest = max(self.latest, now)
        self.redis("SET", f"{self.prefix}:now", (self.latest if hours > 0 else now) + hours * HOUR)
        if hours > 0:
            for token in self.held:
                self.end(token, drain=True)
            self.ended |= {waiter.token for waiter in self.waiting.values()}
            self.waiting.clear()
        self.run_(self.leases.sweep([self.pool]))
        self.read_inbox()

    @precondition(lambda self: self.agents)
    @rule(pick=picks)
    def agent_dies(self, pick: int) -> None:
        agent = self.pick_agent(pick)
        lost = list(self.agents[agent].leases)
        for token in lost:
            self.end(token)
        del self.agents[agent]
        assert self.run_(self.leases.remove(agent)) == bool(lost)
        assert not self.run_(self.leases.remove(agent)), "removing is idempotent"
        self.read_inbox()

    @precondition(lambda self: self.agents)
    @rule(pick=picks)
    def drain(self, pick: int) -> None:
        agent = self.pick_agent(pick)
        self.agents[agent].draining = True
        self.run_(self.leases.drain(agent, "scale_down"))
        self.read_inbox()

    @precondition(lambda self: self.agents)
    @rule(pick=picks)
    def grows_too_old(self, pick: int) -> None:
        """Whoever would get it next finds out."""
        agent = self.pick_agent(pick)
        self.redis("HSET", self.leases.keys.agent(agent), "born", "1")
        rules = LeaseRules(**{**_fields(self.law), "max_age": 3600.0})
        self.run_(self.leases.put_pool(self.pool, rules))
        for holder in ("h0", "h1", "h2"):  # one of each team
            answer = self.run_(
                self.leases.acquire(
                    str(self.pool), f"{holder}0", client="", team_id=team_of(holder), token=holder, wait=0
                )
            )
            assert answer.grant is None or answer.grant.agent_id != agent
            if answer.grant is not None:
                self.run_(self.leases.withdraw(str(self.pool), f"{holder}0", holder, keep=False))
                self.agents[answer.grant.agent_id].tenant = team_of(holder)
        self.run_(self.leases.put_pool(self.pool, self.law))
        self.redis("HSET", self.leases.keys.agent(agent), "born", "9999999999999")
        for seen in self.run_(self.leases.agents([self.pool])):
            if seen.drain == "max_age":
                self.agents[seen.id].draining = True
        self.read_inbox()

    @rule(count=st.integers(0, 3), keep=st.integers(0, 3), order=st.sampled_from(["lru", "fifo", "lifo"]))
    def retire_idle(self, count: int, keep: int, order: str) -> None:
        work = self.leases.retire_idle(self.pool, count, idle=0, keep=keep, reason="scale_down", order=order)
        taken = self.run_(work)
        assert len(taken) <= count
        assert not any(self.agents[agent].leases for agent in taken), "never under a lease"
        assert not (self.waiting and taken), "never while somebody waits"
        for agent in taken:
            self.agents[agent].draining = True

    @rule()
    def controller_removes_the_condemned(self) -> None:
        for agent in self.run_(self.leases.agents([self.pool])):
            if agent.state == "condemned":
                assert agent.leases == 0
                del self.agents[agent.id]
                self.run_(self.leases.remove(agent.id))
        self.read_inbox()

    @rule()
    def redis_loses_its_memory(self) -> None:
        for key in self.redis("KEYS", f"{self.prefix}*"):
            if not key.endswith(b":now"):
                self.redis("DEL", key)
        answer = self.run_(
            self.leases.acquire(
                str(self.pool), "h0", client=CLIENT, team_id=1, token=self.new_token(), wait=1
            )
        )
        assert answer.outcome == "no_epoch", "nothing is granted by a Redis without its memory"
        lost = list(self.held)
        self.ended |= set(lost) | {waiter.token for waiter in self.waiting.values()}
        self.waiting.clear()
        self.sent = 0
        # What is left comes back as the controller would restore it: nobody's, with the uses of its row.
        self.agents = {
            key: ModelAgent(agent.slots, agent.uses)
            for key, agent in self.agents.items()
            if not agent.draining
        }
        self.epoch += 1
        self.run_(self.leases.begin_epoch(self.epoch, self.epoch * 2**32))
        self.run_(self.leases.put_pool(self.pool, self.law))
        for agent in sorted(self.agents):
            self.register(agent)
        if lost:
            assert self.run_(self.leases.heartbeat(lost)) == [0] * len(lost)

    # --- what always holds ---------------------------------------------------------------------------------

    @invariant()
    def each_agent_is_in_one_state_and_counters_are_a_recount(self) -> None:
        found = {agent.id: agent for agent in self.run_(self.leases.agents([self.pool]))}
        figures = self.run_(self.leases.figures([self.pool]))[self.pool]
        if figures.version < 0:
            return
        assert set(found) == set(self.agents)  # 4: no phantom, nothing forgotten
        states = [agent.state for agent in found.values()]
        idle = {UUID(agent.decode()) for agent in self.redis("ZRANGE", self.key("idle"), 0, -1)}
        free = {UUID(agent.decode()) for agent in self.redis("ZRANGE", self.key("open"), 0, -1)}
        assert idle == {agent.id for agent in found.values() if agent.state == "idle"}  # 3
        assert not idle & free
        assert figures.idle == states.count("idle")
        assert figures.condemned == states.count("condemned")
        assert figures.leases == sum(agent.leases for agent in found.values()) == len(self.held)
        assert figures.waiting == len(self.waiting) == self.redis("HLEN", self.key("waiters"))
        assert figures.used == self.sent
        assert self.redis("HLEN", self.key("holders")) == len(self.held)
        queued = sum(self.redis("ZCARD", self.key(f"queue:{team}")) for team in TEAMS)
        assert queued == len(self.waiting)
        assert self.redis("ZCARD", self.key("turns")) == len({team_of(holder) for holder in self.waiting})
        for key, agent in self.agents.items():
            assert found[key].leases == len(agent.leases)
            assert (found[key].state == "condemned") == agent.condemned

    @invariant()
    def nobody_waits_while_an_agent_fits(self) -> None:
        teams = {team_of(holder) for holder in self.waiting}
        for agent in self.agents.values():  # 8
            assert not any(agent.fits(team, self.law.mixes) for team in teams)

    @invariant()
    def uses_stay_within_their_limit(self) -> None:
        for agent in self.run_(self.leases.agents([self.pool])):
            assert agent.uses == self.agents[agent.id].uses <= MAX_USES  # 6

    def teardown(self) -> None:
        """13: when everybody has let go, nothing is left."""
        for waiter in list(self.waiting.values()):
            self.run_(self.leases.withdraw(str(self.pool), waiter.holder, waiter.token, keep=False))
        for token in list(self.held):
            self.run_(self.leases.release(token, "ok", 0))
        kept = (f"{self.prefix}:lease:*", f"{self.prefix}:agent:*:leases", f"{self.key('queue')}*")
        left = [key for pattern in kept for key in self.redis("KEYS", pattern)]
        figures = self.run_(self.leases.figures([self.pool]))[self.pool]
        for key in self.redis("KEYS", f"{self.prefix}*"):
            self.redis("DEL", key)
        self.run_(self.wire.close())
        self.run_(asyncio.sleep(0))
        self.loop.close()
        assert left == []
        assert (figures.leases, figures.waiting) == (0, 0)


def _fields(rules: LeaseRules) -> dict[str, Any]:
    return {name: getattr(rules, name) for name in LeaseRules.__slots__}


LeaseMachine.TestCase.settings = settings(
    max_examples=500,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestLeases = LeaseMachine.TestCase
