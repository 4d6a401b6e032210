"""Machines of Amazon EC2, through boto3.

Each machine is a fleet of type `instant` with one instance: the one call of EC2 that buys spot and on-demand
capacity alike, and that answers at once whether there is any. A launch template of the same name carries the
machine's own user data, and goes as soon as the fleet has been made. Region and credentials are boto3's own:
AWS_REGION, AWS_PROFILE, an instance's role. See docs/adr/0029-node-groups.md.

API: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFleet.html
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from pools.domain.interruptions import USUAL_NOTICE
from pools.domain.nodes import CapacityType
from pools.providers.base import (
    NoCapacity,
    Order,
    ProviderAway,
    ProviderFault,
    RentedMachine,
    Shape,
    Template,
)
from pools.providers.ec2_prices import WHERE, PriceList, SpotPrices
from pools.providers.ec2_templates import check_template

log = logging.getLogger(__name__)
T = TypeVar("T")

INSTANCE_TAG, MACHINE_TAG, GROUP_TAG = "agentainer.instance", "agentainer.machine", "agentainer.group"
COSTS_MONEY = ["pending", "running", "stopping", "stopped"]
TAKEN_AWAY = frozenset({"marked-for-termination", "marked-for-stop"})
NO_CAPACITY = frozenset(
    {
        "InsufficientCapacity",
        "InsufficientFreeAddressesInSubnet",
        "InsufficientHostCapacity",
        "InsufficientInstanceCapacity",
        "InstanceLimitExceeded",
        "MaxSpotInstanceCountExceeded",
        "SpotMaxPriceTooLow",
        "UnfulfillableCapacity",
        "Unsupported",
        "VcpuLimitExceeded",
    }
)
KNOWS_US_NOT = frozenset(
    {"AuthFailure", "ExpiredToken", "RequestExpired", "RequestLimitExceeded", "Unavailable"}
)
# A type that a zone has not comes as a fleet that is not valid; other zones and types may be.
NOT_THERE = "is not supported in your requested Availability Zone"
GONE_ALREADY = "InvalidInstanceID.NotFound"
EXISTS_ALREADY = "InvalidLaunchTemplateName.AlreadyExistsException"
MIB = 1024**2


class Ec2Provider:
    """`client` is boto3's; `prices` tells what is on demand, where a template does not. Without a client both
    are made by the environment. Raises `ProviderFault` without boto3."""

    name = "ec2"

    def __init__(self, instance: str, client: Any = None, prices: PriceList | None = None) -> None:
        self._instance = instance
        self._client, self._prices = (client, prices) if client is not None else _connect()
        self._spot_prices = SpotPrices(self._spot_history)
        self._shapes: dict[str, Shape] = {}

    def check(self, template: Template) -> dict[str, Any]:
        return check_template(template)

    def shape(self, template: Template) -> Shape:
        kind = template["instance_type"]
        if kind not in self._shapes:
            found = self._ask(lambda ec2: ec2.describe_instance_types(InstanceTypes=[kind]))["InstanceTypes"]
            if not found:
                raise ProviderFault(f"EC2 knows no instance type {kind} in this region.")
            cpus, memory = found[0]["VCpuInfo"]["DefaultVCpus"], found[0]["MemoryInfo"]["SizeInMiB"]
            self._shapes[kind] = Shape(float(cpus), memory * MIB)
        return self._shapes[kind]

    # --- machines --------------------------------------------------------------------------------------

    def launch(self, order: Order) -> RentedMachine:
        # EC2 forgets client tokens; its tags stay with the machine.
        known = list(self._described({f"tag:{MACHINE_TAG}": [str(order.machine_id)]}))
        if known:
            return known[0]
        name = f"agentainer-{order.machine_id}"
        self._make_template(name, order)
        try:
            answer = self._ask(lambda ec2: ec2.create_fleet(**self._fleet(name, order)))
        finally:
            self._drop_template(name)
        refs = [ref for row in answer.get("Instances", []) for ref in row["InstanceIds"]]
        if not refs:
            raise _unfulfilled(answer.get("Errors", []))
        # Where it really is, EC2 tells a moment later; until then it is where it was asked for.
        found = {machine.ref: machine for machine in self._described({"instance-id": refs})}
        return found.get(refs[0]) or RentedMachine(order.machine_id, refs[0], order.capacity_type, order.zone)

    def _make_template(self, name: str, order: Order) -> None:
        template = order.template
        data: dict[str, Any] = {
            "ImageId": template["image_id"],
            "UserData": base64.b64encode(order.user_data.encode()).decode(),
            # One hop: containers on the machine do not reach what it is told, its token among that.
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        }
        if template["security_groups"]:
            data["SecurityGroupIds"] = template["security_groups"]
        if template["key_name"]:
            data["KeyName"] = template["key_name"]
        if template["iam_profile"]:
            data["IamInstanceProfile"] = {"Name": template["iam_profile"]}
        if template["disk_gib"]:
            disk = {"VolumeSize": template["disk_gib"], "VolumeType": "gp3", "DeleteOnTermination": True}
            data["BlockDeviceMappings"] = [{"DeviceName": template["disk_name"], "Ebs": disk}]
        try:
            self._ask(
                lambda ec2: ec2.create_launch_template(
                    LaunchTemplateName=name, ClientToken=str(order.machine_id), LaunchTemplateData=data
                )
            )
        except _Refused as exc:
            if exc.code != EXISTS_ALREADY:  # an attempt before broke off
                raise

    def _drop_template(self, name: str) -> None:
        """One that stays costs nothing; whether there is a machine is known by now."""
        try:
            self._ask(lambda ec2: ec2.delete_launch_template(LaunchTemplateName=name))
        except ProviderFault as exc:
            log.warning("the launch template %s stays: %s", name, exc)

    def _fleet(self, name: str, order: Order) -> dict[str, Any]:
        override: dict[str, Any] = {"InstanceType": order.template["instance_type"]}
        if subnet := order.template["subnets"].get(order.zone):
            override["SubnetId"] = subnet
        elif order.zone:
            override["AvailabilityZone"] = order.zone
        spot = order.capacity_type is CapacityType.SPOT
        if spot and order.max_price is not None:
            override["MaxPrice"] = f"{order.max_price:f}"
        tags = {INSTANCE_TAG: self._instance, MACHINE_TAG: str(order.machine_id), GROUP_TAG: order.group}
        tags["Name"] = f"{order.group} {str(order.machine_id)[:8]}"
        target = {"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "spot" if spot else "on-demand"}
        fleet = {
            "Type": "instant",
            "ClientToken": str(order.machine_id),
            "TargetCapacitySpecification": target,
            "LaunchTemplateConfigs": [
                {
                    "LaunchTemplateSpecification": {"LaunchTemplateName": name, "Version": "$Latest"},
                    "Overrides": [override],
                }
            ],
            "TagSpecifications": [
                {
                    "ResourceType": "instance",
                    "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
                }
            ],
        }
        if spot:
            fleet["SpotOptions"] = {
                "AllocationStrategy": "price-capacity-optimized",
                "InstanceInterruptionBehavior": "terminate",
            }
        return fleet

    def terminate(self, refs: Collection[str]) -> None:
        refused: _Refused | None = None
        for ref in refs:  # one that is unknown, or protected, must not keep the others from going
            try:
                self._ask(lambda ec2, ref=ref: ec2.terminate_instances(InstanceIds=[ref]))  # type: ignore[misc]
            except _Refused as exc:
                if exc.code != GONE_ALREADY:
                    refused = exc
        if refused is not None:
            raise refused

    def machines(self) -> list[RentedMachine]:
        return list(self._described({f"tag:{INSTANCE_TAG}": [self._instance]}))

    def _described(self, filters: Mapping[str, list[str]]) -> Iterator[RentedMachine]:
        wanted = [{"Name": name, "Values": values} for name, values in filters.items()]
        wanted.append({"Name": "instance-state-name", "Values": COSTS_MONEY})
        pages = self._ask(lambda ec2: list(ec2.get_paginator("describe_instances").paginate(Filters=wanted)))
        for page in pages:
            for reservation in page["Reservations"]:
                for row in reservation["Instances"]:
                    if (machine := _machine(row)) is not None:
                        yield machine

    # --- money, and its price -------------------------------------------------------------------------

    def price(self, template: Template, capacity_type: CapacityType, zone: str) -> Decimal | None:
        """On demand what the template says, or else the price list; spot the newest of EC2's history, the
        lowest without a zone."""
        if capacity_type is CapacityType.ON_DEMAND:
            told = template["on_demand_price"]
            if told is not None:
                return Decimal(str(told))
            return self._prices.of(template["instance_type"]) if self._prices is not None else None
        return self._spot_prices.of(template["instance_type"], zone)

    def _spot_history(self, instance_type: str) -> list[Mapping[str, Any]]:
        query: dict[str, Any] = {
            "InstanceTypes": [instance_type],
            "ProductDescriptions": ["Linux/UNIX"],
            "StartTime": datetime.now(UTC) - timedelta(hours=1),
        }
        rows: list[Mapping[str, Any]] = self._ask(
            lambda ec2: ec2.describe_spot_price_history(**query)["SpotPriceHistory"]
        )
        return rows

    def interruptions(self, refs: Collection[str]) -> Mapping[str, datetime]:
        """EC2 marks the request of an instance when it sends the notice to the instance itself."""
        if not refs:
            return {}
        wanted = [{"Name": "instance-id", "Values": list(refs)}]
        answer = self._ask(lambda ec2: ec2.describe_spot_instance_requests(Filters=wanted))
        return {
            row["InstanceId"]: row["Status"]["UpdateTime"] + USUAL_NOTICE
            for row in answer["SpotInstanceRequests"]
            if row.get("InstanceId") in refs and row.get("Status", {}).get("Code") in TAKEN_AWAY
        }

    def _ask(self, question: Callable[[Any], T]) -> T:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return question(self._client)
        except ClientError as exc:
            raise _refused(exc.response.get("Error", {})) from exc
        except BotoCoreError as exc:
            raise ProviderAway(f"EC2 does not answer: {exc}.") from exc


class _Refused(ProviderFault):
    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


def _refused(error: Mapping[str, Any]) -> ProviderFault:
    code, message = str(error.get("Code", "Unknown")), str(error.get("Message", ""))
    sentence = f"EC2 refuses ({code}): {message.rstrip('.')}."
    if code in NO_CAPACITY or NOT_THERE in message:
        return NoCapacity(sentence)
    return ProviderAway(sentence) if code in KNOWS_US_NOT else _Refused(sentence, code)


def _unfulfilled(errors: list[Mapping[str, Any]]) -> ProviderFault:
    """Why a fleet has no instance. One that tells no reason had none to give."""
    if not errors:
        return NoCapacity("EC2 gave no instance, and no reason.")
    first = errors[0]
    return _refused({"Code": first.get("ErrorCode"), "Message": first.get("ErrorMessage", "")})


def _machine(row: Mapping[str, Any]) -> RentedMachine | None:
    """None for an instance whose tag somebody spoiled."""
    tags = {tag["Key"]: tag["Value"] for tag in row.get("Tags", [])}
    try:
        machine_id = UUID(tags.get(MACHINE_TAG, ""))
    except ValueError:
        return None
    kind = CapacityType.SPOT if row.get("InstanceLifecycle") == "spot" else CapacityType.ON_DEMAND
    return RentedMachine(machine_id, row["InstanceId"], kind, row["Placement"].get("AvailabilityZone", ""))


def _connect() -> tuple[Any, PriceList]:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as exc:
        raise ProviderFault(
            "AFLOW_NODE_PROVIDER=ec2 needs boto3: install it beside the platform (the extra `ec2`)."
        ) from exc
    limits = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "max_attempts": 3})
    try:
        client = boto3.client("ec2", config=limits)
        list_of_prices = boto3.client("pricing", region_name=WHERE, config=limits)
        return client, PriceList(list_of_prices, client.meta.region_name)
    except BotoCoreError as exc:
        raise ProviderFault(f"EC2 cannot be used: {exc}. Set AWS_REGION.") from exc
