"""EC2 beside the contract: what is sent to it, and what its answers mean."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.config import Config

from aflow_site.kernel.errors import InvalidInput
from pools.domain.instance_types import read_machines, templates_of
from pools.domain.nodes import CapacityType
from pools.providers.base import NoCapacity, ProviderAway, ProviderFault
from pools.providers.choose import make_provider
from pools.providers.ec2 import Ec2Provider
from tests.contract.providers.conftest import IMAGE, ZONE, ec2_template
from tests.contract.providers.test_provider_contract import order

SPOT, ON_DEMAND = CapacityType.SPOT, CapacityType.ON_DEMAND


@contextmanager
def answering(ec2: Any, call: str, change: Callable[[dict[str, Any]], object]) -> Iterator[None]:
    """The server's answers to a call, changed."""

    def hook(parsed: dict[str, Any], **_: Any) -> None:
        change(parsed)

    ec2.meta.events.register(f"after-call.ec2.{call}", hook)
    try:
        yield
    finally:
        ec2.meta.events.unregister(f"after-call.ec2.{call}", hook)


@contextmanager
def noting(ec2: Any, call: str) -> Iterator[list[dict[str, Any]]]:
    """What is asked."""
    asked: list[dict[str, Any]] = []

    def hook(params: dict[str, Any], **_: Any) -> None:
        asked.append(params)

    ec2.meta.events.register(f"provide-client-params.ec2.{call}", hook)
    try:
        yield asked
    finally:
        ec2.meta.events.unregister(f"provide-client-params.ec2.{call}", hook)


def test_what_a_machine_is_told_is_its_own_and_the_template_goes(ec2: Any) -> None:
    provider = Ec2Provider("contract", ec2)
    with noting(ec2, "CreateLaunchTemplate") as made:
        machine = provider.launch(order(ec2_template(ec2), user_data="#cloud-config\nsecret"))
    told = ec2.describe_instance_attribute(InstanceId=machine.ref, Attribute="userData")["UserData"]["Value"]
    assert base64.b64decode(told).decode() == "#cloud-config\nsecret"
    assert ec2.describe_launch_templates()["LaunchTemplates"] == []
    (data,) = [one["LaunchTemplateData"] for one in made]
    # Containers on the machine, one hop farther, do not reach it.
    assert data["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    tags = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [machine.ref]}])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags}.items() >= {
        ("agentainer.instance", "contract"),
        ("agentainer.machine", str(machine.machine_id)),
        ("agentainer.group", "workers"),
    }


@pytest.mark.parametrize(
    ("field", "value", "sent"),
    [
        ("security_groups", ["sg-0abc"], {"SecurityGroupIds": ["sg-0abc"]}),
        ("key_name", "ours", {"KeyName": "ours"}),
        ("iam_profile", "nodes", {"IamInstanceProfile": {"Name": "nodes"}}),
        (
            "disk_gib",
            40,
            {
                "BlockDeviceMappings": [
                    {
                        "DeviceName": "/dev/xvda",
                        "Ebs": {"VolumeSize": 40, "VolumeType": "gp3", "DeleteOnTermination": True},
                    }
                ]
            },
        ),
    ],
)
def test_each_field_of_a_template_is_sent(ec2: Any, field: str, value: Any, sent: dict[str, Any]) -> None:
    """Whether EC2 has such a group, key or profile is another matter, and refused by it."""
    templates = []
    for fields in ({}, {field: value}):
        with noting(ec2, "CreateLaunchTemplate") as made, suppress(ProviderFault):
            Ec2Provider("contract", ec2).launch(order(ec2_template(ec2, **fields)))
        templates.append({name: made[0]["LaunchTemplateData"].get(name) for name in sent})
    assert templates == [dict.fromkeys(sent), sent]


def test_the_disk_is_the_one_that_the_image_names(ec2: Any) -> None:
    with noting(ec2, "CreateLaunchTemplate") as made:
        template = ec2_template(ec2, disk_gib=40, disk_name="/dev/sda1")
        Ec2Provider("contract", ec2).launch(order(template))
    assert made[0]["LaunchTemplateData"]["BlockDeviceMappings"][0]["DeviceName"] == "/dev/sda1"


def test_other_installations_machines_are_not_ours(ec2: Any) -> None:
    Ec2Provider("other", ec2).launch(order(ec2_template(ec2)))
    assert Ec2Provider("contract", ec2).machines() == []


@pytest.mark.parametrize(
    ("kind", "zone", "max_price", "target", "override"),
    [
        (SPOT, ZONE, Decimal("0.05"), "spot", {"AvailabilityZone": ZONE, "MaxPrice": "0.05"}),
        (SPOT, "", None, "spot", {}),
        (ON_DEMAND, ZONE, Decimal("0.05"), "on-demand", {"AvailabilityZone": ZONE}),
    ],
)
def test_a_fleet_asks_for_the_kind_zone_and_price(
    ec2: Any, kind: CapacityType, zone: str, max_price: Decimal | None, target: str, override: dict[str, str]
) -> None:
    wanted = order(ec2_template(ec2), kind, zone=zone, max_price=max_price)
    with noting(ec2, "CreateFleet") as asked:
        Ec2Provider("contract", ec2).launch(wanted)
    (fleet,) = asked
    assert (fleet["Type"], fleet["ClientToken"]) == ("instant", str(wanted.machine_id))
    assert fleet["TargetCapacitySpecification"]["DefaultTargetCapacityType"] == target
    assert fleet["LaunchTemplateConfigs"][0]["Overrides"] == [{"InstanceType": "m5.large", **override}]


def test_machines_of_several_types_are_asked_for_by_type_each_at_its_price(ec2: Any) -> None:
    """Beside another image for one of them."""
    images = [image["ImageId"] for image in ec2.describe_images()["Images"] if image["ImageId"] != IMAGE]
    types = [
        {"type": "m5.large", "on_demand_price": 0.115},
        {"type": "m5.xlarge", "on_demand_price": 0.23, "template": {"image_id": images[0]}},
    ]
    provider = Ec2Provider("contract", ec2)
    templates = templates_of(*read_machines({"image_id": IMAGE}, types, [], provider.check))
    sizes = {name: provider.shape(template) for name, template in templates.items()}
    assert {name: (size.cpus, size.memory) for name, size in sizes.items()} == {
        "m5.large": (2.0, 8 * 2**30),
        "m5.xlarge": (4.0, 16 * 2**30),
    }
    assert [provider.price(one, ON_DEMAND, ZONE) for one in templates.values()] == [
        Decimal("0.115"),
        Decimal("0.23"),
    ]
    with noting(ec2, "DescribeSpotPriceHistory") as asked:
        for template in templates.values():
            provider.price(template, SPOT, ZONE)
    assert [question["InstanceTypes"] for question in asked] == [["m5.large"], ["m5.xlarge"]]
    refs = [provider.launch(order(template)).ref for template in templates.values()]
    rows = [ec2.describe_instances(InstanceIds=[ref])["Reservations"][0]["Instances"][0] for ref in refs]
    assert [(row["InstanceType"], row["ImageId"]) for row in rows] == [
        ("m5.large", IMAGE),
        ("m5.xlarge", images[0]),
    ]


def test_a_type_that_there_is_not_is_told(ec2: Any) -> None:
    with pytest.raises(ProviderFault, match=r"m5\.huge") as caught:
        Ec2Provider("contract", ec2).shape(ec2_template(ec2, instance_type="m5.huge"))
    assert not isinstance(caught.value, ProviderAway)


def test_a_zone_may_have_a_subnet(ec2: Any) -> None:
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    with noting(ec2, "CreateFleet") as asked:
        Ec2Provider("contract", ec2).launch(order(ec2_template(ec2, subnets={ZONE: subnet}), zone=ZONE))
    assert asked[0]["LaunchTemplateConfigs"][0]["Overrides"][0]["SubnetId"] == subnet


@pytest.mark.parametrize(
    ("errors", "raised"),
    [
        ([{"ErrorCode": "InsufficientInstanceCapacity", "ErrorMessage": "None left"}], NoCapacity),
        ([{"ErrorCode": "Unsupported", "ErrorMessage": "Another zone, please."}], NoCapacity),
        (
            [
                {
                    "ErrorCode": "InvalidFleetConfiguration",
                    "ErrorMessage": "Your requested instance type (m5.large) is not supported in your "
                    "requested Availability Zone (eu-central-1a).",
                }
            ],
            NoCapacity,
        ),
        ([{"ErrorCode": "InvalidFleetConfiguration", "ErrorMessage": "No such group"}], ProviderFault),
        ([{"ErrorCode": "SpotMaxPriceTooLow", "ErrorMessage": "More, please."}], NoCapacity),
        ([], NoCapacity),
        ([{"ErrorCode": "InvalidParameterValue", "ErrorMessage": "No"}], ProviderFault),
    ],
)
def test_a_fleet_without_an_instance(ec2: Any, errors: list[Any], raised: type[ProviderFault]) -> None:
    provider = Ec2Provider("contract", ec2)
    wanted = order(ec2_template(ec2))
    with (
        answering(ec2, "CreateFleet", lambda answer: answer.update(Instances=[], Errors=errors)),
        pytest.raises(raised) as caught,
    ):
        provider.launch(wanted)
    assert isinstance(caught.value, NoCapacity) == (raised is NoCapacity)
    assert ec2.describe_launch_templates()["LaunchTemplates"] == []


def test_the_newest_spot_price_of_the_zone_counts(ec2: Any) -> None:
    now = datetime(2026, 11, 25, tzinfo=UTC)

    def history(answer: dict[str, Any]) -> None:
        answer["SpotPriceHistory"] = [
            {"AvailabilityZone": zone, "SpotPrice": price, "Timestamp": now - timedelta(minutes=minutes)}
            for zone, price, minutes in (
                (ZONE, "0.041", 50),
                (ZONE, "0.035", 5),
                ("eu-central-1b", "0.020", 20),
            )
        ]

    provider, template = Ec2Provider("contract", ec2), ec2_template(ec2)
    with (
        answering(ec2, "DescribeSpotPriceHistory", history),
        noting(ec2, "DescribeSpotPriceHistory") as asked,
    ):
        assert provider.price(template, SPOT, ZONE) == Decimal("0.035")
        assert provider.price(template, SPOT, "") == Decimal("0.020")
        assert provider.price(template, SPOT, "eu-central-1c") is None
    assert len(asked) == 1  # of all zones at once
    assert provider.price(template, ON_DEMAND, ZONE) == Decimal("0.115")
    assert provider.price(ec2_template(ec2, on_demand_price=None), ON_DEMAND, ZONE) is None


def test_an_instance_that_is_marked_is_about_to_go(ec2: Any) -> None:
    provider = Ec2Provider("contract", ec2)
    machine, other = provider.launch(order(ec2_template(ec2))), provider.launch(order(ec2_template(ec2)))
    at = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)

    def mark(answer: dict[str, Any]) -> None:
        for row in answer["SpotInstanceRequests"]:
            if row["InstanceId"] == machine.ref:
                row["Status"] = {"Code": "marked-for-termination", "UpdateTime": at}

    with answering(ec2, "DescribeSpotInstanceRequests", mark):
        assert provider.interruptions([machine.ref, other.ref]) == {machine.ref: at + timedelta(minutes=2)}


def test_a_provider_that_does_not_answer(ec2: Any) -> None:
    template = ec2_template(ec2)
    nobody = boto3.client(
        "ec2",
        endpoint_url="http://127.0.0.1:1",
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"max_attempts": 0}),
    )
    with pytest.raises(ProviderAway, match="does not answer"):
        Ec2Provider("contract", nobody).launch(order(template))
    nobody.close()


def test_every_fault_of_a_template_is_told_at_once(ec2: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        Ec2Provider("contract", ec2).check(
            {
                "image_id": "debian",
                "subnets": [],
                "engine_port": 0,
                "setup": ["x" * 9000],
                "disk_gib": True,
                "on_demand_price": float("nan"),
                "colour": "red",
            }
        )
    assert {fault.path.removeprefix("template.") for fault in refused.value.faults} == {
        "colour",
        "image_id",
        "instance_type",
        "subnets",
        "engine_port",
        "setup",
        "disk_gib",
        "on_demand_price",
    }


def test_providers_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_provider("none", instance="i") is None
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    made = make_provider("ec2", instance="i")
    assert made is not None
    assert made.name == "ec2"
    with pytest.raises(ProviderFault, match="AFLOW_INSTANCE is not set"):
        make_provider("ec2", instance="default")
    with pytest.raises(InvalidInput, match="must be none or ec2"):
        make_provider("cloud", instance="i")
