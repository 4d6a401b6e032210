"""What an instance type costs: spot by EC2's history, on demand by AWS's price list; in US dollars.

The list is asked one small question for each type, once a day. It needs the permission pricing:GetProducts;
without it the price is not known, which is told in the log.
API: https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from threading import Lock
from typing import Any

log = logging.getLogger(__name__)

WHERE = "us-east-1"  # of the price list itself, which has all regions
SPOT_KEPT = 60.0  # seconds
KEPT = 86_400.0
TRIED_AGAIN = 3600.0
# Linux without more on it, shared with others, bought by the hour.
OF_THE_KIND = {
    "operatingSystem": "Linux",
    "preInstalledSw": "NA",
    "tenancy": "Shared",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}


class SpotPrices:
    """`history` tells the changes of a type's price in the last hour, in all zones."""

    def __init__(self, history: Callable[[str], Sequence[Mapping[str, Any]]]) -> None:
        self._history = history
        self._known: dict[str, tuple[dict[str, Decimal], float]] = {}  # by zone; until when
        self._asking = Lock()

    def of(self, instance_type: str, zone: str) -> Decimal | None:
        """The newest there, of all zones the lowest; per hour. Many zones are one question."""
        with self._asking:
            known, until = self._known.get(instance_type, ({}, 0.0))
            if time.monotonic() >= until:
                known = _newest(self._history(instance_type))
                self._known[instance_type] = (known, time.monotonic() + SPOT_KEPT)
        return known.get(zone) if zone else min(known.values(), default=None)


def _newest(rows: Sequence[Mapping[str, Any]]) -> dict[str, Decimal]:
    by_age = sorted(rows, key=lambda row: row["Timestamp"])
    return {row["AvailabilityZone"]: Decimal(row["SpotPrice"]) for row in by_age}


class PriceList:
    """Of one `region`; `client` is boto3's for the price list."""

    def __init__(self, client: Any, region: str) -> None:
        self._client = client
        self._region = region
        self._known: dict[str, tuple[Decimal | None, float]] = {}  # until when, on the monotonic clock

    def of(self, instance_type: str) -> Decimal | None:
        """Per hour; None when it is not known."""
        price, until = self._known.get(instance_type, (None, 0.0))
        if time.monotonic() >= until:
            found = self._ask(instance_type)
            price = price if found is None else found
            kept = TRIED_AGAIN if found is None else KEPT
            self._known[instance_type] = (price, time.monotonic() + kept)
        return price

    def _ask(self, instance_type: str) -> Decimal | None:
        from botocore.exceptions import BotoCoreError, ClientError

        wanted = {**OF_THE_KIND, "instanceType": instance_type, "regionCode": self._region}
        filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()]
        try:
            answer = self._client.get_products(ServiceCode="AmazonEC2", Filters=filters)
        except (BotoCoreError, ClientError) as exc:
            log.warning(
                "what %s costs on demand is not known (%s): allow pricing:GetProducts, or say its "
                "on_demand_price in the node group",
                instance_type,
                exc,
            )
            return None
        prices = [price for text in answer["PriceList"] for price in _prices_in(json.loads(text))]
        return min(prices, default=None)


def _prices_in(product: Any) -> list[Decimal]:
    """Per hour, of a product of the list; free ones are of no machine that one gets."""
    terms = product.get("terms", {}).get("OnDemand", {}).values()
    told = [
        dimension.get("pricePerUnit", {}).get("USD", "")
        for term in terms
        for dimension in term.get("priceDimensions", {}).values()
        if dimension.get("unit") == "Hrs"
    ]
    return [price for price in map(_number, told) if price is not None and price > 0]


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
