"""What AWS's price list says of an instance type, and what is made of it. moto has no such list: its answers
are given here, to boto3's own client."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from pools.domain.nodes import CapacityType
from pools.providers import ec2_prices
from pools.providers.ec2 import Ec2Provider
from pools.providers.ec2_prices import PriceList
from tests.contract.providers.conftest import ec2_template

ON_DEMAND = CapacityType.ON_DEMAND


def product(price: str, unit: str = "Hrs") -> str:
    dimension = {"unit": unit, "pricePerUnit": {"USD": price}}
    term = {"priceDimensions": {"SKU.TERM.RATE": dimension}}
    return json.dumps({"product": {"sku": "SKU"}, "terms": {"OnDemand": {"SKU.TERM": term}}})


class Answers:
    """What the list says, and how it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.products: list[str] = []
        self.asked: list[dict[str, Any]] = []

    def __call__(self, params: dict[str, Any], **_: Any) -> Any:
        self.asked.append(json.loads(params["body"]))
        denied = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
        body = {"PriceList": self.products} if self.status == 200 else denied
        return SimpleNamespace(status_code=self.status), body


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def prices(answers: Answers) -> Iterator[PriceList]:
    client = boto3.client(
        "pricing",
        region_name=ec2_prices.WHERE,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    client.meta.events.register("before-call.pricing.GetProducts", answers)
    yield PriceList(client, "eu-central-1")
    client.close()


def test_a_type_is_asked_for_once_in_its_region(prices: PriceList, answers: Answers) -> None:
    answers.products = [product("0.0000000000"), product("0.1150000000"), product("9", unit="Quantity")]
    assert [prices.of("m5.large"), prices.of("m5.large")] == [Decimal("0.115")] * 2
    (asked,) = answers.asked
    assert asked["ServiceCode"] == "AmazonEC2"
    assert {one["Field"]: one["Value"] for one in asked["Filters"]} == {
        "instanceType": "m5.large",
        "regionCode": "eu-central-1",
        **ec2_prices.OF_THE_KIND,
    }
    answers.products = [product("0.23")]
    assert prices.of("m5.xlarge") == Decimal("0.23")


def test_without_the_right_to_ask_the_price_is_not_known_and_the_log_says_what_to_do(
    prices: PriceList, answers: Answers, caplog: pytest.LogCaptureFixture
) -> None:
    answers.status = 400
    with caplog.at_level(logging.WARNING):
        assert [prices.of("m5.large"), prices.of("m5.large")] == [None, None]
    assert len(answers.asked) == len(caplog.records) == 1
    assert "allow pricing:GetProducts, or say its on_demand_price" in caplog.text


def test_a_price_stays_while_the_list_is_away(
    prices: PriceList, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ec2_prices, "KEPT", 0.0)
    answers.products = [product("0.115")]
    assert prices.of("m5.large") == Decimal("0.115")
    answers.status = 400
    assert prices.of("m5.large") == Decimal("0.115")


def test_what_the_group_says_counts_before_the_list(ec2: Any, prices: PriceList, answers: Answers) -> None:
    answers.products = [product("0.115")]
    provider = Ec2Provider("contract", ec2, prices)
    assert provider.price(ec2_template(ec2, on_demand_price=0.2), ON_DEMAND, "") == Decimal("0.2")
    assert answers.asked == []
    assert provider.price(ec2_template(ec2, on_demand_price=None), ON_DEMAND, "") == Decimal("0.115")
    unknown = Ec2Provider("contract", ec2)
    assert unknown.price(ec2_template(ec2, on_demand_price=None), ON_DEMAND, "") is None
