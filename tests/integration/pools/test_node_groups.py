"""Node groups on a provider and an engine in memory: machines come, carry agents, and go again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest
import yaml
from channels.db import database_sync_to_async
from django.apps import apps
from django.conf import LazySettings, settings
from django.db import connection

from aflow_site.kernel.errors import Conflict
from pools.domain.instance_types import UNSAID, templates_of
from pools.domain.machines import machine_token
from pools.domain.node_groups import GroupPlan, GroupReason
from pools.domain.nodes import Availability, CapacityType
from pools.domain.offers import Offer
from pools.domain.placement import ANYWHERE, Place
from pools.domain.room import Demand, demand_of
from pools.facade import site
from pools.facade.nodes import group_loop, provider_problem
from pools.models import Machine, Node, NodeGroup, NodeGroupDecision, Pool
from pools.providers.base import ProviderAway, ProviderFault, RentedMachine
from pools.runtime.memory import MemoryRuntime
from pools.selectors.prices import Prices
from pools.services import epochs
from pools.services.agents import NotLeading
from pools.services.controller import groups as loop
from pools.services.controller.controller import PoolController
from pools.services.controller.groups import NodeGroups
from pools.services.machines import joined
from pools.services.node_groups import record, tell_offers
from pools.services.nodes import mirror, note_interruption
from teams.domain.roles import Role
from teams.models import AuditEntry
from tests.factories.members import Api, assert_problem, member
from tests.factories.pools import make_pool
from tests.fakes.pools import SECRET, Plant, rows_of, served, until
from tests.fakes.provider import FakeProvider

pytestmark = pytest.mark.django_db(transaction=True)

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND
GIB = 2**30


class Site:
    """A plant whose engine has one node without room, and groups whose machines join as they are launched
    (unless `shy`)."""

    def __init__(self) -> None:
        self.runtime = MemoryRuntime(nodes=())
        self.plant = Plant(self.runtime)
        self.provider = FakeProvider()
        self.demands: list[Demand] | None = []
        self.leading = True

    def groups(self, controller: PoolController | None = None) -> NodeGroups:
        async def leads() -> bool:
            return self.leading

        return NodeGroups(
            self.runtime,
            self.provider,
            demands=controller.demands if controller else lambda: self.demands,
            leads=controller.leads if controller else leads,
            instance=self.plant.instance,
            leader=controller.leader if controller else LEADER,
            secret=SECRET,
            url="https://flow.example",
        )

    async def join_all(self) -> None:
        """Machines that were launched come up, and say which node they are."""
        for machine in await machines():
            if machine.state == "launched" and not machine.node_ref:
                size = machine.template.get("size", 1)
                ref = self.runtime.join(f"node-{machine.ref}", size=size)
                await database_sync_to_async(joined)(machine, ref)

    async def settle(self, groups: NodeGroups, rounds: int = 4) -> None:
        for _ in range(rounds):
            await groups.step()
            await self.join_all()
        await self.learn()

    async def learn(self) -> None:
        await database_sync_to_async(mirror)(await self.runtime.nodes(), datetime.now(UTC))

    def fact(self, count: int, place: Place = ANYWHERE) -> None:
        """So many agents; twenty fit on a machine."""
        self.demands = [demand_of(place, 1.0, GIB // 2, count)] if count else []


LEADER = "leader-of-the-tests"


@pytest.fixture
async def here() -> AsyncIterator[Site]:
    found = Site()
    await database_sync_to_async(lead)(found.plant.instance)
    yield found
    await found.runtime.close()


def lead(instance: str) -> None:
    epochs.take_lead(instance, LEADER, datetime.now(UTC))


@database_sync_to_async
def make_group(**values: Any) -> NodeGroup:
    wanted: dict[str, Any] = {"name": "workers", "provider": "fake", "on_demand_base": 0, "idle_timeout": 0.0}
    return NodeGroup.objects.create(**{**wanted, **values})


@database_sync_to_async
def machines(*states: str) -> list[Machine]:
    rows = Machine.objects.order_by("requested_at")
    return list(rows.filter(state__in=states) if states else rows)


@database_sync_to_async
def explanations() -> list[str]:
    return list(NodeGroupDecision.objects.order_by("pk").values_list("reason", flat=True))


async def kinds(*states: str) -> list[str]:
    return [machine.capacity_type for machine in await machines(*(states or ("joined",)))]


# --- coming ------------------------------------------------------------------------------------------------


async def test_machines_come_for_what_does_not_fit_and_say_what_they_are(here: Site) -> None:
    await make_group(template={"engine_port": 2375})
    groups = here.groups()
    here.fact(21)
    await here.settle(groups)
    assert await kinds() == ["spot", "spot"]
    labels = [machine.labels for machine in here.runtime.machines.values()]
    assert (
        labels
        == [
            {
                "agentainer.engine": "tcp://localhost:2375",
                "agentainer.capacity": "spot",
                "agentainer.zone": "north",
                "agentainer.price": "0.03",
                "agentainer.on_demand_price": "0.1",
            }
        ]
        * 2
    )
    nodes = await database_sync_to_async(list)(Node.objects.all())
    assert {(node.capacity_type, node.price, node.on_demand_price) for node in nodes} == {
        ("spot", Decimal("0.03"), Decimal("0.1"))
    }
    # Nothing more is wanted, and the decision is not written again.
    await here.settle(groups)
    assert len(here.provider.orders) == 2
    assert (await explanations())[0] == "demand"
    assert len(await explanations()) == len(set(await explanations()))


async def test_what_a_machine_is_told_holds_its_own_token_and_no_other_secret(here: Site) -> None:
    await make_group(template={"setup": ["apt-get install -y docker.io"]})
    here.fact(1)
    await here.settle(here.groups(), 1)
    (order,) = here.provider.orders
    assert "token" not in repr(order)
    assert order.user_data.startswith("#cloud-config\n")
    told = yaml.safe_load(order.user_data)
    secrets, program, _ = told["write_files"]
    assert secrets["permissions"] == "0600"
    assert machine_token(SECRET, order.machine_id) in secrets["content"]
    assert "https://flow.example" in secrets["content"]
    compile(program["content"], "machine.py", "exec")
    assert told["runcmd"][0] == ["sh", "-c", "apt-get install -y docker.io"]
    assert (await here.runtime.invite()).token not in order.user_data


async def test_a_shortage_of_spot_falls_back_and_comes_back(here: Site) -> None:
    await make_group(idle_timeout=3600.0)
    here.provider.short = {SPOT}
    groups = here.groups()
    here.fact(5)
    await here.settle(groups)
    assert await kinds() == ["on_demand"]
    assert [machine.end_reason for machine in await machines("gone")] == ["no_capacity"]
    assert "fallback" in await explanations()
    # Spot is not asked for again before some time has passed.
    asked = len(here.provider.orders)
    await here.settle(groups)
    assert len(here.provider.orders) == asked
    here.provider.short = set()
    groups = here.groups()  # which remembers no shortage
    await here.settle(groups, 3)
    assert sorted(await kinds("joined", "leaving")) == ["on_demand", "spot"]
    (leaving,) = await machines("leaving")
    assert (leaving.capacity_type, leaving.end_reason) == ("on_demand", "back_to_spot")


async def test_spot_fallback_alone_decides_whether_agents_wait(here: Site) -> None:
    group = await make_group(spot_fallback=False)
    here.provider.short = {SPOT}
    groups = here.groups()
    here.fact(5)
    await here.settle(groups)
    assert await kinds() == []
    await database_sync_to_async(NodeGroup.objects.filter(pk=group.pk).update)(spot_fallback=True)
    await here.settle(groups)
    assert await kinds() == ["on_demand"]


async def test_max_price_and_zones_go_to_the_provider(here: Site) -> None:
    await make_group(max_price=Decimal("0.05"), zones=["south"])
    here.fact(1)
    await here.settle(here.groups(), 1)
    (order,) = here.provider.orders
    assert (order.max_price, order.zone) == (Decimal("0.05"), "south")


async def test_a_machine_that_never_joins_is_ended_and_told(here: Site) -> None:
    await make_group(join_timeout=10.0)
    groups = here.groups()
    here.fact(1)
    await groups.step()
    long_ago = datetime.now(UTC) - timedelta(seconds=11)
    await database_sync_to_async(Machine.objects.update)(requested_at=long_ago)
    await groups.step()
    assert [machine.end_reason for machine in await machines("gone")] == ["never_joined"]
    group = await database_sync_to_async(NodeGroup.objects.get)()
    assert "did not join within 10 s" in group.problem
    # The next one only after a pause.
    await groups.step()
    assert len(here.provider.orders) == 1
    await database_sync_to_async(group.refresh_from_db)()
    assert "did not join" in group.problem


async def test_a_machine_that_names_a_node_of_somebody_else_is_ended_without_it(here: Site) -> None:
    group = await make_group()
    theirs = here.runtime.join("of-somebody-else", since=datetime.now(UTC) - timedelta(hours=1))
    groups = here.groups()
    here.fact(41)  # more than fit on theirs
    await groups.step()
    first, second = await machines("launched")
    await database_sync_to_async(joined)(first, theirs)
    await groups.step()
    assert [(machine.pk, machine.end_reason) for machine in await machines("gone")] == [(first.pk, "refused")]
    await database_sync_to_async(group.refresh_from_db)()
    assert "says that it is of-somebody-else, which was there before" in group.problem
    # It cannot say so once more on its way out.
    leaving = await database_sync_to_async(Machine.objects.get)(pk=first.pk)
    with pytest.raises(Conflict):
        await database_sync_to_async(joined)(leaving, theirs)
    await database_sync_to_async(joined)(second, here.runtime.join("new", since=datetime.now(UTC)))
    await here.settle(groups)
    assert second.pk in [machine.pk for machine in await machines("joined")]
    await database_sync_to_async(group.refresh_from_db)()
    assert group.problem == ""
    node = here.runtime.machines["of-somebody-else"]
    assert (node.availability, node.labels) == (Availability.ACTIVE, {})


async def test_another_template_is_for_machines_from_then_on(here: Site) -> None:
    """Those that are there keep their size, their price, and what they were made of."""
    group = await make_group(template={"size": 1}, idle_timeout=3600.0)
    groups = here.groups()
    here.fact(21)
    await here.settle(groups)
    await database_sync_to_async(NodeGroup.objects.filter(pk=group.pk).update)(template={"size": 2})
    here.fact(40)  # as many as fit on two small ones, or on one large one
    await here.settle(groups)
    assert [order.template for order in here.provider.orders] == [{"size": 1}] * 2
    here.fact(41)
    await here.settle(groups)
    assert [order.template for order in here.provider.orders] == [{"size": 1}, {"size": 1}, {"size": 2}]
    prices = [machine.price for machine in await machines("joined")]
    assert prices == [Decimal("0.03"), Decimal("0.03"), Decimal("0.06")]


async def test_a_refusal_is_told_and_not_repeated_at_once(here: Site) -> None:
    await make_group()
    here.provider.fault = ProviderFault("There is no such image.")
    groups = here.groups()
    here.fact(1)
    await groups.step()
    await groups.step()
    group = await database_sync_to_async(NodeGroup.objects.get)()
    assert group.problem == "There is no such image."
    assert [machine.end_reason for machine in await machines()] == ["refused"]


async def test_a_provider_that_is_away_loses_nothing(here: Site) -> None:
    await make_group()
    here.provider.fault = ProviderAway("It does not answer.")
    groups = here.groups()
    here.fact(1)
    await groups.step()
    (waiting,) = await machines("requested")
    group = await database_sync_to_async(NodeGroup.objects.get)()
    assert group.problem == "It does not answer."
    here.provider.fault = None
    await here.settle(groups)
    assert [machine.pk for machine in await machines("joined")] == [waiting.pk]


async def test_a_launch_that_a_crash_broke_off_is_taken_up_and_strangers_are_ended(here: Site) -> None:
    group = await make_group()
    row = await database_sync_to_async(Machine.objects.create)(
        group=group, group_name="workers", capacity_type="spot", requested_at=datetime.now(UTC)
    )
    here.provider.rented[row.pk] = RentedMachine(row.pk, "m-crash", SPOT, "north")
    nobodys = uuid4()
    here.provider.rented[nobodys] = RentedMachine(nobodys, "m-stranger", SPOT, "north")
    here.fact(1)
    await here.settle(here.groups())
    assert here.provider.orders == []
    assert [machine.ref for machine in await machines("joined")] == ["m-crash"]
    assert list(here.provider.rented) == [row.pk]


async def test_who_does_not_lead_rents_nothing(here: Site) -> None:
    await make_group()
    here.fact(1)
    await database_sync_to_async(epochs.take_lead)(here.plant.instance, "another", datetime.now(UTC))
    with pytest.raises(NotLeading):
        await here.groups().step()
    here.leading = False
    with pytest.raises(NotLeading):
        await here.groups().step()
    assert await machines() == []


async def test_what_is_usual_is_on_demand(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the time of the last hour, once there is some of it to tell by."""
    await make_group(on_demand_base=None, idle_timeout=3600.0)
    groups = here.groups()
    here.fact(21)
    await here.settle(groups)
    assert await kinds() == ["spot", "spot"]  # nothing is known yet
    monkeypatch.setattr(loop, "USUAL_FROM", 0.0)
    here.fact(61)
    await here.settle(groups, 2)
    assert (await kinds())[2:] == ["on_demand", "on_demand"]


# --- of several instance types -------------------------------------------------------------------------


def a_type(name: str, size: float = 1, **values: Any) -> dict[str, Any]:
    return {**UNSAID, "type": name, "template": {"size": size}, **values}


async def taken(*states: str) -> list[tuple[str, str]]:
    found = await machines(*(states or ("joined",)))
    return [(machine.instance_type, machine.capacity_type) for machine in found]


async def test_each_machine_is_of_the_best_type_and_its_node_has_that_price(here: Site) -> None:
    """Which is where the ledger reads it."""
    types = [a_type("small", on_demand_price=0.1), a_type("large", 2, on_demand_price=0.15)]
    await make_group(instance_types=types, prefer_spot=False)
    here.fact(45)
    await here.settle(here.groups())
    assert await taken() == [("large", "on_demand"), ("small", "on_demand")]
    nodes = await database_sync_to_async(list)(Node.objects.order_by("price"))
    assert [node.price for node in nodes] == [Decimal("0.1"), Decimal("0.15")]
    assert [order.template for order in here.provider.orders] == [
        {"size": 2, "instance_type": "large", "on_demand_price": 0.15},
        {"size": 1, "instance_type": "small", "on_demand_price": 0.1},
    ]
    pool: Pool = await database_sync_to_async(make_pool)(cpu=1.0, memory=GIB)
    rates = await database_sync_to_async(Prices.now)()
    # One CPU of two, and of four.
    assert [rates.of_agent(pool, node.name) for node in nodes] == [Decimal("0.05"), Decimal("0.0375")]


async def test_what_spot_saves_is_told_of_the_type_that_came(here: Site) -> None:
    types = [a_type("small", on_demand_price=0.1), a_type("large", 2, on_demand_price=0.19)]
    await make_group(instance_types=types)
    here.provider.short = {("small", SPOT)}
    here.fact(1)
    await here.settle(here.groups())
    (machine,) = await machines("joined")
    assert (machine.instance_type, machine.on_demand_price) == ("large", Decimal("0.19"))
    (node,) = await database_sync_to_async(list)(Node.objects.all())
    assert node.on_demand_price == Decimal("0.19")


async def test_another_type_is_tried_before_on_demand_and_the_group_tells_of_the_shortage(here: Site) -> None:
    types = [a_type("small"), a_type("large", 1.9)]  # which costs a little more for one agent
    group = await make_group(instance_types=types)
    here.provider.short = {("small", SPOT)}
    groups = here.groups()
    here.fact(1)
    await here.settle(groups)
    assert await taken() == [("large", "spot")]
    assert await taken("gone") == [("small", "spot")]
    assert "fallback" not in await explanations()
    await database_sync_to_async(group.refresh_from_db)()
    short = {(one["instance_type"], one["capacity_type"]): one["short"] for one in group.offers}
    assert short == {
        ("small", "on_demand"): False,
        ("large", "on_demand"): False,
        ("small", "spot"): True,
        ("large", "spot"): False,
    }
    here.provider.short |= {("large", SPOT), ("small", ON_DEMAND)}
    here.fact(60)
    await here.settle(groups, 5)
    assert {kind for kind in await taken() if kind[1] == "on_demand"} == {("large", "on_demand")}


def test_what_there_is_to_choose_from_is_told(served_site: Site) -> None:
    group = NodeGroup.objects.create(name="workers", provider="fake")
    tell_offers(group, [Offer(SPOT, "north", Decimal("0.03"), 0.01234, False, "small", 2.0, 8 * GIB)])
    assert staff()("GET", "node-groups/workers/").json()["offers"] == [
        {
            "instance_type": "small",
            "capacity_type": "spot",
            "zone": "north",
            "price": 0.03,
            "interruption_risk": 0.0123,
            "short": False,
            "cpus": 2.0,
            "memory": 8 * GIB,
            "agents": 20,
        }
    ]


async def test_what_is_not_to_be_had_costs_no_round_of_five_seconds(
    here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop turns again at once; without a shortage it rests."""
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        if seconds == loop.EVERY:
            raise asyncio.CancelledError

    await make_group(instance_types=[a_type("small"), a_type("large", 2)])
    here.provider.short = {SPOT}
    here.fact(1)
    monkeypatch.setattr("pools.services.controller.groups.asyncio.sleep", rest)
    with pytest.raises(asyncio.CancelledError):
        await here.groups().run()
    assert rests == [loop.AT_ONCE, loop.AT_ONCE, loop.EVERY]
    assert await taken("launched") == [("small", "on_demand")]


async def test_a_risk_that_is_said_counts_until_more_is_seen(here: Site) -> None:
    risky = [a_type("small", interruption_risk=1.0), a_type("other", 1.1)]
    group = await make_group(instance_types=risky)
    here.fact(1)
    await here.settle(here.groups())
    assert await taken() == [("other", "spot")]
    # A hundred hours of it without an interruption.
    long_ago = datetime.now(UTC) - timedelta(hours=20)
    old = {"ref": "m", "capacity_type": "spot", "state": "gone", "zone": "north", "end_reason": "idle"}
    for _ in range(8):
        await database_sync_to_async(Machine.objects.create)(
            group=group, instance_type="small", requested_at=long_ago, ended_at=datetime.now(UTC), **old
        )
    here.fact(23)
    await here.settle(here.groups())
    assert await taken() == [("other", "spot"), ("small", "spot")]
    await database_sync_to_async(group.refresh_from_db)()
    risks = {one["instance_type"]: one["interruption_risk"] for one in group.offers}
    assert risks["small"] == pytest.approx(24 / 184, abs=0.001)


async def test_interruptions_of_one_type_are_not_held_against_another(here: Site) -> None:
    group = await make_group(instance_types=[a_type("small"), a_type("other", 1.1)])
    now = datetime.now(UTC)
    for _ in range(4):
        await database_sync_to_async(Machine.objects.create)(
            group=group,
            instance_type="small",
            ref="m",
            capacity_type="spot",
            state="gone",
            requested_at=now - timedelta(hours=1),
            ended_at=now,
            leave_by=now,
        )
    here.fact(1)
    await here.settle(here.groups())
    assert await taken() == [("other", "spot")]


async def test_a_type_that_the_provider_does_not_know_is_told_and_the_others_come(here: Site) -> None:
    group = await make_group(instance_types=[a_type("smal"), a_type("large", 2)])
    here.provider.unknown = {"smal"}
    here.fact(1)
    await here.settle(here.groups())
    assert await taken() == [("large", "spot")]
    await database_sync_to_async(group.refresh_from_db)()
    assert group.problem == "smal: There is no type smal."
    here.provider.unknown = {"smal", "large"}
    await here.settle(here.groups())
    await database_sync_to_async(group.refresh_from_db)()
    assert group.problem == "smal: There is no type smal. large: There is no type large."


async def test_a_type_that_the_provider_refuses_leaves_the_others(
    here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with an image of another processor. What is wrong stands there until the type is changed."""
    monkeypatch.setattr("pools.domain.breaker.FIRST_PAUSE", 0.0)
    group = await make_group(instance_types=[a_type("small"), a_type("large", 2)], idle_timeout=3600.0)
    here.provider.refuses = {"small"}
    groups = here.groups()
    here.fact(1)
    await here.settle(groups, 5)
    assert await taken("gone", "joined") == [("small", "spot"), ("large", "spot")]
    await database_sync_to_async(group.refresh_from_db)()
    assert group.problem == "small: The image is not for small."
    here.provider.refuses = set()
    here.fact(41)
    await here.settle(groups)
    assert await taken() == [("large", "spot"), ("large", "spot")]
    repaired = [a_type("small", template={"size": 1.0, "image": 2}), a_type("large", 2)]
    await database_sync_to_async(NodeGroup.objects.filter(pk=group.pk).update)(instance_types=repaired)
    here.fact(81)
    await here.settle(groups)
    assert await taken() == [("large", "spot"), ("large", "spot"), ("small", "spot")]
    await database_sync_to_async(group.refresh_from_db)()
    assert group.problem == ""


# --- going -------------------------------------------------------------------------------------------------


async def test_an_empty_machine_is_drained_ended_and_forgotten(here: Site) -> None:
    await make_group(min=1)
    groups = here.groups()
    here.fact(21)
    await here.settle(groups)
    assert len(await machines("joined")) == 2
    here.fact(0)
    await groups.step()
    (leaving,) = await machines("leaving")
    node = here.runtime.machines[f"node-{leaving.ref}"]
    assert node.availability is Availability.PAUSE
    assert leaving.ref in [machine.ref for machine in here.provider.machines()]
    # The controller drains it when the last agent has left.
    await here.runtime.set_availability(node.ref, Availability.DRAIN)
    await groups.step()
    assert leaving.ref not in [machine.ref for machine in here.provider.machines()]
    assert node.name not in here.runtime.machines
    assert [machine.end_reason for machine in await machines("gone")] == ["idle"]
    assert len(await machines("joined")) == 1  # min


async def test_a_group_that_is_deleted_goes_with_its_last_machine(here: Site) -> None:
    group = await make_group()
    groups = here.groups()
    here.fact(1)
    await here.settle(groups)
    now = datetime.now(UTC)
    await database_sync_to_async(NodeGroup.objects.filter(pk=group.pk).update)(deleted_at=now)
    await groups.step()
    (name,) = here.runtime.machines
    await here.runtime.set_availability(f"ref-{name}", Availability.DRAIN)
    await groups.step()
    assert not await database_sync_to_async(NodeGroup.objects.exists)()
    assert here.provider.machines() == []
    assert [machine.end_reason for machine in await machines()] == ["group_removed"]


async def test_a_machine_that_somebody_else_ended_is_gone(here: Site) -> None:
    await make_group()
    groups = here.groups()
    here.fact(1)
    await here.settle(groups)
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    await database_sync_to_async(Machine.objects.update)(requested_at=long_ago)
    here.provider.rented.clear()
    await here.settle(groups)
    assert [machine.end_reason for machine in await machines("gone")] == ["vanished"]
    assert await kinds() == ["spot"]  # another one


async def test_a_notice_of_the_provider_has_the_node_leave_and_another_come(here: Site) -> None:
    await make_group()
    groups = here.groups()
    here.fact(1)
    await here.settle(groups)
    (machine,) = await machines("joined")
    leave_by = datetime.now(UTC) + timedelta(seconds=120)
    here.provider.taken = {machine.ref: leave_by}
    await here.settle(groups)
    (left,) = await machines("leaving")
    assert (left.pk, left.end_reason, left.leave_by) == (machine.pk, "spot_interruption", leave_by)
    node = await database_sync_to_async(Node.objects.get)(ref=machine.node_ref)
    assert (node.state, node.leave_by) == ("draining", leave_by)
    assert await kinds() == ["spot"]


async def test_money_is_metered_and_prices_are_renewed(here: Site) -> None:
    await make_group()
    groups = here.groups()
    here.fact(1)
    await here.settle(groups)
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    await database_sync_to_async(Machine.objects.update)(metered_at=hour_ago, cost=0, on_demand_cost=0)
    here.provider.prices[SPOT] = Decimal("0.04")
    fresh = here.groups()  # whose prices are not minutes old
    await fresh.step()
    await fresh.step()
    (machine,) = await machines("joined")
    assert (round(machine.cost, 3), round(machine.on_demand_cost, 3)) == (Decimal("0.030"), Decimal("0.100"))
    assert machine.price == Decimal("0.04")
    (node,) = here.runtime.machines.values()
    assert node.labels["agentainer.price"] == "0.04"


async def test_a_notice_that_staff_told_of_the_node_has_another_come(here: Site) -> None:
    await make_group()
    groups = here.groups()
    here.fact(1)
    await here.settle(groups)
    (machine,) = await machines("joined")
    leave_by = datetime.now(UTC) + timedelta(seconds=120)
    await here.runtime.set_availability(machine.node_ref, Availability.PAUSE)
    await database_sync_to_async(note_interruption)(machine.node_ref, leave_by)
    await here.settle(groups)
    assert [one.end_reason for one in await machines("leaving")] == ["spot_interruption"]
    assert await kinds() == ["spot"]


async def test_what_is_cordoned_or_lost_is_no_room_and_what_stays_lost_is_given_up(here: Site) -> None:
    await make_group(idle_timeout=3600.0)
    groups = here.groups()
    here.fact(1)
    await here.settle(groups)
    (first,) = await machines("joined")
    await here.runtime.set_availability(first.node_ref, Availability.PAUSE)
    await here.settle(groups)
    assert len(await machines("joined")) == 2
    await here.runtime.lose(f"node-{first.ref}")
    await here.settle(groups)
    assert len(await machines("joined")) == 2
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    await database_sync_to_async(Node.objects.filter(state="lost").update)(changed_at=long_ago)
    await groups.step()
    assert [(one.pk, one.end_reason) for one in await machines("gone")] == [(first.pk, "lost")]


async def test_nothing_is_decided_before_anybody_knows_what_is_needed(here: Site) -> None:
    await make_group(min=1)
    here.demands = None
    await here.settle(here.groups())
    assert await machines() == []


async def test_two_groups_do_not_both_answer_one_demand(here: Site) -> None:
    await make_group()
    await make_group(name="others")
    here.fact(5)
    groups = here.groups()
    await groups.step()
    await groups.step()
    await here.settle(groups)
    assert [machine.group_name for machine in await machines()] == ["others"]


async def test_notices_are_heeded_while_no_price_is_to_be_had(
    here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_group()
    groups = here.groups()
    here.fact(1)
    await here.settle(groups)
    (machine,) = await machines("joined")

    def refuse(*_: Any) -> None:
        raise ProviderFault("No prices today.")

    monkeypatch.setattr(here.provider, "price", refuse)
    here.provider.taken = {machine.ref: datetime.now(UTC) + timedelta(seconds=120)}
    await here.groups().step()
    (left,) = await machines("leaving")
    assert (left.end_reason, left.price) == ("spot_interruption", Decimal("0.03"))


# --- with the controller -------------------------------------------------------------------------------


async def test_a_pool_without_room_gets_machines_and_gives_them_back(here: Site) -> None:
    await make_group(on_demand_base=None)
    pool: Pool = await database_sync_to_async(make_pool)(min_size=2, max_size=2, capacity_type="spot")
    controller = here.plant.controller()
    await controller.start()
    stop = asyncio.Event()
    task = asyncio.create_task(controller.run_forever(stop))
    groups = here.groups(controller)

    async def turn() -> None:
        await groups.step()
        await here.join_all()

    async def serves() -> bool:
        await turn()
        return await served(pool.pk, 2)

    async def all_gone() -> bool:
        await turn()
        return not here.provider.machines()

    try:
        await until(serves)
        assert {agent.node for agent in await rows_of(pool.pk)} == {"node-m-1"}
        (node,) = here.runtime.machines.values()
        assert node.labels["agentainer.capacity"] == "spot"
        await database_sync_to_async(Pool.objects.filter(pk=pool.pk).update)(
            min_size=0, target_size=0, idle_timeout=0.1
        )
        await until(all_gone)
        assert await rows_of(pool.pk) == []
    finally:
        stop.set()
        await task
        await controller.close()


# --- over HTTP -------------------------------------------------------------------------------------------


@pytest.fixture
def served_site(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Site:
    settings.AFLOW_URL = "https://flow.example"
    found = Site()
    monkeypatch.setattr(site, "runtime", lambda: found.runtime)
    monkeypatch.setattr(site, "provider", lambda: found.provider)
    return found


def staff() -> Api:
    return member(Role.ADMIN, staff=True)


def test_groups_are_for_staff_alone(served_site: Site) -> None:
    admin = staff()
    for caller in (member(Role.ADMIN), member(Role.OPERATOR, staff=True)):
        for method, path in (
            ("GET", ""),
            ("POST", ""),
            ("GET", "workers/"),
            ("PATCH", "workers/"),
            ("DELETE", "workers/"),
            ("GET", "workers/decisions/"),
        ):
            assert_problem(caller(method, f"node-groups/{path}", {}), 403, "not_allowed")
    made = admin("POST", "node-groups/", {"name": "workers", "max": 3, "max_price": 0.05, "zones": ["north"]})
    assert made.status_code == 201, made.content
    assert made.json()["template"] == {"size": 1}
    assert (made.json()["provider"], made.json()["max_price"]) == ("fake", 0.05)
    assert_problem(admin("POST", "node-groups/", {"name": "workers"}), 409, "conflict")
    changed = admin("PATCH", "node-groups/workers/", {"min": 1, "prefer_spot": False, "max_price": None})
    assert (changed.json()["min"], changed.json()["prefer_spot"], changed.json()["max_price"]) == (
        1,
        False,
        None,
    )
    assert changed.json()["max"] == 3
    listed = admin("GET", "node-groups/").json()
    assert ([row["name"] for row in listed["results"]], listed["problem"]) == (["workers"], None)
    assert admin("GET", "node-groups/workers/decisions/").json()["results"] == []
    assert admin("DELETE", "node-groups/workers/").status_code == 204
    assert_problem(admin("GET", "node-groups/workers/"), 404, "not_found")
    assert list(
        AuditEntry.objects.filter(target="node-group/workers").order_by("pk").values_list("action", flat=True)
    ) == [
        "node_group.created",
        "node_group.changed",
        "node_group.deleted",
    ]


def test_types_are_named_in_a_list_or_the_one_in_the_template(served_site: Site) -> None:
    admin = staff()
    made = admin(
        "POST",
        "node-groups/",
        {"name": "workers", "template": {"size": 2, "instance_type": "small", "on_demand_price": 0.1}},
    ).json()
    one = {"type": "small", "on_demand_price": 0.1, "interruption_risk": None, "template": {}}
    assert (made["template"], made["instance_types"], made["offers"]) == ({"size": 2}, [one], [])
    two: list[dict[str, Any]] = [
        {"type": "small"},
        {"type": "large", "interruption_risk": 0.01, "template": {"size": 4}},
    ]
    changed = admin("PATCH", "node-groups/workers/", {"instance_types": two}).json()
    assert changed["instance_types"] == [{**UNSAID, **kind} for kind in two]
    assert changed["template"] == {"size": 2}
    # A template alone leaves them; one that names a type is the old way to say which.
    kept = admin("PATCH", "node-groups/workers/", {"template": {"size": 3}}).json()
    assert (kept["template"], kept["instance_types"]) == ({"size": 3}, changed["instance_types"])
    old = admin("PATCH", "node-groups/workers/", {"template": {"size": 3, "instance_type": "huge"}}).json()
    assert [kind["type"] for kind in old["instance_types"]] == ["huge"]
    twice = {"template": {"instance_type": "small"}, "instance_types": [{"type": "small"}]}
    body = assert_problem(admin("PATCH", "node-groups/workers/", twice), 400, "invalid")
    assert [fault["path"] for fault in body["errors"]] == ["template.instance_type"]


def test_groups_of_before_go_on_as_they_were(served_site: Site) -> None:
    """Rows as the migration finds them, and as going back leaves them."""
    migration = import_module("pools.migrations.0018_instance_types")
    old = {"size": 2, "instance_type": "small", "on_demand_price": 0.2}
    group = NodeGroup.objects.create(name="workers", provider="fake", template=old)
    machine = Machine.objects.create(
        group=group, group_name="workers", template=old, capacity_type="spot", requested_at=datetime.now(UTC)
    )
    NodeGroup.objects.create(name="plain", provider="fake", template={"size": 1})
    migration.name_the_type(apps, connection.schema_editor())
    for row in (group, machine):
        row.refresh_from_db()
    assert group.instance_types == [{**UNSAID, "type": "small", "on_demand_price": 0.2}]
    assert templates_of(group.template, group.instance_types) == {"small": old}
    assert (machine.instance_type, machine.template) == ("small", old)
    plain = NodeGroup.objects.get(name="plain")
    assert (plain.template, plain.instance_types) == ({"size": 1}, [])
    migration.back_into_the_template(apps, connection.schema_editor())
    group.refresh_from_db()
    assert group.template == old


def test_every_fault_of_types_is_told_where_it_stands(served_site: Site) -> None:
    wrong = [
        {"type": "small", "interruption_risk": -1},
        {"type": "small", "template": {"colour": "red", "instance_type": "x"}},
    ]
    sent = {"name": "workers", "template": {"shape": "round"}, "instance_types": wrong}
    body = assert_problem(staff()("POST", "node-groups/", sent), 400, "invalid")
    assert {fault["path"] for fault in body["errors"]} == {
        "instance_types[0].interruption_risk",
        "instance_types[1].type",
        "instance_types[1].template.instance_type",
        "instance_types[1].template.colour",
        "template.shape",
    }
    unfit: list[dict[str, Any]] = [{}, {"type": ""}, {"type": "x" * 65}, {"type": "a", "colour": 1}]
    for bad in [*unfit, {"type": "a", "template": 1}]:
        refused = staff()("POST", "node-groups/", {"name": "workers", "instance_types": [bad]})
        faults = assert_problem(refused, 400, "invalid")["errors"]
        assert all(fault["path"].startswith("instance_types[0].") for fault in faults), faults
    many = [{"type": f"t{number}"} for number in range(21)]
    body = assert_problem(
        staff()("POST", "node-groups/", {"name": "a", "instance_types": many}), 400, "invalid"
    )
    assert [fault["path"] for fault in body["errors"]] == ["instance_types"]


def test_every_fault_of_a_group_is_told(served_site: Site) -> None:
    wrong = {
        "name": "Workers!",
        "min": -1,
        "max": 100_000,
        "on_demand_base": -1,
        "max_price": -1,
        "idle_timeout": -1,
        "join_timeout": 1,
        "zones": ["north", "north"],
        "template": {"colour": "red"},
    }
    body = assert_problem(staff()("POST", "node-groups/", wrong), 400, "invalid")
    assert {fault["path"] for fault in body["errors"]} == {*wrong, "template.colour"} - {"template"}
    assert_problem(staff()("POST", "node-groups/", {"name": "a", "size": 3}), 400, "invalid")


def test_without_a_provider_or_a_swarm_there_are_no_groups(
    served_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "provider", lambda: None)
    body = assert_problem(staff()("POST", "node-groups/", {"name": "a"}), 409, "conflict")
    assert "AFLOW_NODE_PROVIDER=ec2" in body["detail"]
    assert staff()("GET", "node-groups/").json()["problem"] == body["detail"]
    monkeypatch.setattr(served_site.runtime, "can", frozenset())
    body = assert_problem(staff()("POST", "node-groups/", {"name": "a"}), 409, "conflict")
    assert "AFLOW_RUNTIME=swarm, and start" in body["detail"]
    assert staff()("GET", "node-groups/").json()["problem"] == body["detail"]


def test_a_provider_that_cannot_be_used_hides_no_group(
    served_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise ProviderFault("boto3 is missing.")

    monkeypatch.setattr(site, "provider", missing)
    assert staff()("GET", "node-groups/").json() == {
        "results": [],
        "next": None,
        "previous": None,
        "problem": "boto3 is missing.",
    }


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
def test_machines_must_reach_the_platform(served_site: Site, settings: LazySettings, url: str) -> None:
    settings.AFLOW_URL = url
    body = assert_problem(staff()("POST", "node-groups/", {"name": "a"}), 409, "conflict")
    assert f"AFLOW_URL is {url}" in body["detail"]


def test_decisions_are_listed_with_what_they_did(served_site: Site) -> None:
    group = NodeGroup.objects.create(name="workers", provider="fake")
    offer = Offer(SPOT, "north", Decimal("0.03"))
    now = datetime.now(UTC)
    for at, plan in (
        (now, GroupPlan((offer,), (), GroupReason.DEMAND, "Agents ask for one.", 1)),
        (now + timedelta(seconds=5), GroupPlan(explanation="1 machines carry everything.", needed=1)),
        (now + timedelta(seconds=9), GroupPlan(explanation="1 machines carry everything.", needed=1)),
    ):
        record(group, plan, 0, at)
    listed = staff()("GET", "node-groups/workers/decisions/").json()["results"]
    assert [(row["action"], row["reason"], row["needed"]) for row in listed] == [
        ("hold", "steady", 1),
        ("launch", "demand", 1),
    ]
    assert listed[1]["launched"] == [
        {"instance_type": "", "capacity_type": "spot", "zone": "north", "price": 0.03}
    ]
    assert staff()("GET", "node-groups/workers/").json()["explanation"] == "1 machines carry everything."


def test_the_setting_chooses_the_provider(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert site.provider() is None
    settings.AFLOW_NODE_PROVIDER = "ec2"
    found = site.provider()
    assert found is not None
    assert found.name == "ec2"


async def test_without_a_provider_no_loop_runs(
    served_site: Site, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller = served_site.plant.controller()
    assert list(group_loop(controller, served_site.runtime)) == ["node groups"]
    monkeypatch.setattr(site, "provider", lambda: None)
    assert group_loop(controller, served_site.runtime) == {}

    def missing() -> None:
        raise ProviderFault("boto3 is missing.")

    monkeypatch.setattr(site, "provider", missing)
    assert group_loop(controller, served_site.runtime) == {}


def rented(**values: Any) -> Machine:
    group = NodeGroup.objects.create(name="workers", provider="fake")
    now = datetime.now(UTC)
    wanted: dict[str, Any] = {"capacity_type": "spot", "state": "launched", "requested_at": now}
    return Machine.objects.create(group=group, group_name="workers", **{**wanted, **values})


def says(machine_token: str, path: str, body: Any = None) -> Any:
    return Api(None)("POST", f"machines/{path}/", body, Authorization=f"Bearer {machine_token}")


def test_a_machine_joins_once_and_tells_who_it_is(served_site: Site) -> None:
    machine = rented()
    token = machine_token(settings.SECRET_KEY, machine.pk)
    other = machine_token(settings.SECRET_KEY, uuid4())
    for path in ("join", "joined", "notice"):
        for wrong in ("", "x", other, token[:-1] + "g"):
            assert_problem(says(wrong, path, {}), 401, "not_authenticated")
    assert says(token, "join").json() == {"address": "localhost:2377", "token": "token-of-this-process"}
    assert_problem(says(token, "joined", {"node": "no node"}), 400, "invalid")
    assert says(token, "joined", {"node": "ref-a"}).status_code == 204
    assert says(token, "joined", {"node": "ref-a"}).status_code == 204
    assert_problem(says(token, "joined", {"node": "ref-b"}), 409, "conflict")
    Machine.objects.update(state="joined")
    assert_problem(says(token, "join"), 409, "conflict")
    Machine.objects.update(state="gone", ended_at=datetime.now(UTC))
    assert_problem(says(token, "notice", {}), 401, "not_authenticated")


def test_a_machine_tells_that_it_is_taken_away(served_site: Site) -> None:
    ref = served_site.runtime.join("a")
    mirror(list(served_site.runtime.machines.values()), datetime.now(UTC))
    machine = rented(state="joined", node_ref=ref)
    token = machine_token(settings.SECRET_KEY, machine.pk)
    at = (datetime.now(UTC) + timedelta(seconds=120)).isoformat()
    assert_problem(says(token, "notice", {"action": "dance"}), 400, "invalid")
    assert says(token, "notice", {"action": "terminate", "time": at}).json() == {"leave_by": at}
    node = Node.objects.get(name="a")
    assert (node.state, node.leave_by) == ("draining", datetime.fromisoformat(at))
    assert Machine.objects.get().leave_by == node.leave_by
    served_site.runtime.away = True
    assert_problem(says(token, "notice", {"time": at}), 503, "runtime")


def test_costs_tell_what_spot_saves_and_what_is_idle(served_site: Site) -> None:
    labels = {"agentainer.price": "0.03", "agentainer.capacity": "spot", "agentainer.on_demand_price": "0.10"}
    for name in ("a", "b", "c"):
        served_site.runtime.join(name)
    found = served_site.runtime.machines
    found["a"] = replace(found["a"], labels=labels)
    found["b"] = replace(found["b"], labels={"agentainer.price": "0.10"})
    mirror(list(found.values()), datetime.now(UTC))
    rented(cost=Decimal("1.5"), on_demand_cost=Decimal("5"))
    pool = make_pool(cpu=1.0, memory=GIB)
    pool.agents.create(team=pool.team, pool_name=pool.name, node="b", nonce="n", started_at=datetime.now(UTC))
    body = member(Role.VIEWER)("GET", "node-costs/").json()
    assert body["per_hour"] == {"cost": 0.13, "on_demand": 0.2, "saved": 0.07, "idle": 0.08}
    assert body["unpriced"] == 1
    assert (body["currency"], body["so_far"]["cost"], body["so_far"]["saved"]) == ("USD", 1.5, 3.5)
    by_name = {row["name"]: row for row in member(Role.VIEWER)("GET", "nodes/").json()["results"]}
    # One of two CPUs is an agent's.
    assert (by_name["a"]["idle_price"], by_name["b"]["idle_price"], by_name["c"]["idle_price"]) == (
        0.03,
        0.05,
        None,
    )
    assert (by_name["a"]["on_demand_price"], by_name["b"]["on_demand_price"]) == (0.1, 0.1)


def test_what_keeps_the_provider_from_answering_is_told(
    served_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the doctor asks."""
    assert provider_problem() is None

    def refuse() -> list[RentedMachine]:
        raise ProviderAway("It does not know us.")

    monkeypatch.setattr(served_site.provider, "machines", refuse)
    assert provider_problem() == "It does not know us."
