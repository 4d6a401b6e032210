"""Each provider in turn; EC2 is the one that moto's server plays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from pools.providers.base import NodeProvider, Template
from pools.providers.ec2 import Ec2Provider
from tests.fakes.provider import FakeProvider

ZONE = "eu-central-1a"  # where this server puts all that it makes
IMAGE = "ami-03cf127a"  # one that it has


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def _client(moto: str) -> Iterator[Any]:
    client = boto3.client(
        "ec2",
        endpoint_url=moto,
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    yield client
    client.close()


@pytest.fixture
def ec2(_client: Any) -> Iterator[Any]:
    """boto3's own client; nothing of a test before is there."""
    client = _client
    yield client
    refs = [
        row["InstanceId"] for one in client.describe_instances()["Reservations"] for row in one["Instances"]
    ]
    if refs:
        client.terminate_instances(InstanceIds=refs)


@pytest.fixture(params=["fake", "ec2"])
def provider(request: pytest.FixtureRequest) -> NodeProvider:
    if request.param == "fake":
        return FakeProvider()
    return Ec2Provider("contract", request.getfixturevalue("ec2"))


@pytest.fixture
def template(provider: NodeProvider, request: pytest.FixtureRequest) -> Template:
    if provider.name == "fake":
        return provider.check({})
    return ec2_template(request.getfixturevalue("ec2"))


def ec2_template(ec2: Any, **fields: Any) -> Template:
    wanted = {"image_id": IMAGE, "instance_type": "m5.large", "on_demand_price": 0.115, **fields}
    return Ec2Provider("contract", ec2).check(wanted)
