"""The loop of node groups on EC2 as moto plays it: what one type lacks another one has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from channels.db import database_sync_to_async

from pools.domain.instance_types import UNSAID, read_machines
from pools.domain.placement import ANYWHERE
from pools.domain.room import demand_of
from pools.models import Machine, NodeGroup
from pools.providers.ec2 import Ec2Provider
from pools.runtime.memory import MemoryRuntime
from pools.services import epochs
from pools.services.controller.groups import NodeGroups
from tests.contract.providers.conftest import IMAGE

pytestmark = pytest.mark.django_db(transaction=True)

NONE_LEFT = {"ErrorCode": "InsufficientInstanceCapacity", "ErrorMessage": "None left of those"}


@contextmanager
def without(ec2: Any, *kinds: tuple[str, str]) -> Iterator[list[tuple[str, str]]]:
    """EC2 has none of these types, each spot or on-demand. Yields all that are asked for."""
    asked: list[tuple[str, str]] = []

    def hook(params: dict[str, Any], **_: Any) -> Any:
        body = params["body"]
        kind = body["LaunchTemplateConfigs.1.Overrides.1.InstanceType"]
        asked.append((kind, body["TargetCapacitySpecification.DefaultTargetCapacityType"]))
        return (SimpleNamespace(status_code=200), {"Errors": [NONE_LEFT]}) if asked[-1] in kinds else None

    ec2.meta.events.register("before-call.ec2.CreateFleet", hook)
    try:
        yield asked
    finally:
        ec2.meta.events.unregister("before-call.ec2.CreateFleet", hook)


async def test_another_spot_type_then_the_cheapest_on_demand(ec2: Any) -> None:
    provider = Ec2Provider("contract", ec2)
    types = [{**UNSAID, "type": "m5.large"}, {**UNSAID, "type": "c5.large"}]
    types[0]["on_demand_price"], types[1]["on_demand_price"] = 0.115, 0.097
    template, types = read_machines({"image_id": IMAGE}, types, [], provider.check)
    await database_sync_to_async(NodeGroup.objects.create)(
        name="workers", provider="ec2", on_demand_base=0, template=template, instance_types=types
    )
    await database_sync_to_async(epochs.take_lead)("contract", "leader", datetime.now(UTC))
    agents = 1

    async def leads() -> bool:
        return True

    groups = NodeGroups(
        MemoryRuntime(nodes=()),
        provider,
        demands=lambda: [demand_of(ANYWHERE, 1.0, 2**29, agents)],
        leads=leads,
        instance="contract",
        leader="leader",
        secret="a secret of the tests",
        url="https://flow.example",
    )
    with without(ec2, ("m5.large", "spot")) as asked:
        await groups.step()
        await groups.step()
    assert asked == [("m5.large", "spot"), ("c5.large", "spot")]
    agents = 21
    with without(ec2, ("c5.large", "spot")) as asked:
        await groups.step()
        await groups.step()
    # Neither is asked for again just now.
    assert asked == [("c5.large", "spot"), ("c5.large", "on-demand")]
    rows = await database_sync_to_async(list)(Machine.objects.exclude(state="gone").order_by("requested_at"))
    assert [(row.instance_type, row.capacity_type, row.state) for row in rows] == [
        ("c5.large", "spot", "launched"),
        ("c5.large", "on_demand", "launched"),
    ]
    described = ec2.describe_instances(InstanceIds=[row.ref for row in rows])["Reservations"]
    assert [one["Instances"][0]["InstanceType"] for one in described] == ["c5.large", "c5.large"]
