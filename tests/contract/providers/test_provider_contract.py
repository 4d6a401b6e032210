"""What every node provider promises (`pools.providers.base`), held against each of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from aflow_site.kernel.errors import InvalidInput
from pools.domain.nodes import CapacityType
from pools.providers.base import NodeProvider, Order, Template


def order(template: Template, kind: CapacityType = CapacityType.SPOT, **values: Any) -> Order:
    given: dict[str, Any] = {"zone": "", "max_price": None, "user_data": "#cloud-config\n", **values}
    return Order(uuid4(), "workers", template, kind, **given)


@pytest.mark.parametrize("kind", list(CapacityType))
def test_a_machine_is_launched_told_of_and_ended(
    provider: NodeProvider, template: Template, kind: CapacityType
) -> None:
    wanted = order(template, kind)
    made = provider.launch(wanted)
    assert (made.machine_id, made.capacity_type) == (wanted.machine_id, kind)
    assert made.ref
    assert provider.machines() == [made]
    assert provider.interruptions([made.ref]) == {}
    provider.terminate([made.ref])
    assert provider.machines() == []
    provider.terminate([made.ref])
    provider.terminate(["i-0123456789abcdef0"])


def test_launching_twice_makes_one(provider: NodeProvider, template: Template) -> None:
    wanted = order(template)
    assert provider.launch(wanted).ref == provider.launch(wanted).ref
    assert len(provider.machines()) == 1
    assert provider.launch(order(template)).ref != provider.launch(wanted).ref
    assert len(provider.machines()) == 2


def test_a_machine_has_a_shape_and_prices(provider: NodeProvider, template: Template) -> None:
    shape = provider.shape(template)
    assert (shape.cpus, shape.memory) == (2.0, 8 * 2**30)
    for kind in CapacityType:
        price = provider.price(template, kind, "")
        assert isinstance(price, Decimal)
        assert price > 0


def test_a_template_with_unknown_fields_is_refused(provider: NodeProvider) -> None:
    with pytest.raises(InvalidInput) as refused:
        provider.check({"sizes": 3})
    assert "template.sizes" in [fault.path for fault in refused.value.faults]
