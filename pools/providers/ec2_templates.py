"""What a node group says of its machines on EC2: the fields, and what is wrong with them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from aflow_site.kernel.errors import Fault, InvalidInput

HIGHEST_PRICE = 10_000
LONGEST_SETUP = 8192  # bytes: EC2 takes 16 KiB of user data altogether
DEFAULTS: Mapping[str, Any] = {
    "instance_type": "",
    "image_id": "",  # with Docker on it, unless `setup` installs it
    "on_demand_price": None,  # per hour
    "subnets": {},  # zone -> subnet; a zone without one is in the default network
    "security_groups": [],
    "key_name": "",
    "iam_profile": "",
    "disk_gib": 0,  # 0: the image's own
    "disk_name": "/dev/xvda",
    "engine_port": 2376,  # where the machine's engine answers the platform
    "setup": [],  # lines for a shell, before the machine joins
}


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 256


def _matches(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


def _whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _price(value: Any) -> bool:
    if value is None:
        return True
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and 0 <= value <= HIGHEST_PRICE


def _subnets(value: Any) -> bool:
    return isinstance(value, dict) and all(_text(zone) and _text(subnet) for zone, subnet in value.items())


def _setup(value: Any) -> bool:
    return _texts(value) and sum(len(line.encode()) for line in value) <= LONGEST_SETUP


RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "instance_type": (_matches(r"[a-z0-9-]+\.[a-z0-9-]+"), "An instance type such as m7g.large is needed."),
    "image_id": (_matches(r"ami-[0-9a-f]+"), "The id of an image, such as ami-0abc, is needed."),
    "on_demand_price": (_price, f"A price per hour is expected here, from 0 to {HIGHEST_PRICE}."),
    "subnets": (_subnets, 'An object of subnets by zone is expected here: {"eu-central-1a": "subnet-0abc"}.'),
    "security_groups": (_texts, "A list of ids of security groups is expected here."),
    "key_name": (_text, "The name of a key pair is expected here."),
    "iam_profile": (_text, "The name of an instance profile is expected here."),
    "disk_gib": (_whole(0, 16_384), "GiB are expected here, up to 16384; 0: as the image has it."),
    "disk_name": (_text, "The name of the root device is expected here, such as /dev/xvda."),
    "engine_port": (_whole(1, 65_535), "A port is expected here."),
    "setup": (_setup, f"A list of lines for a shell is expected here, {LONGEST_SETUP} bytes at most."),
}


def check_template(template: Mapping[str, Any]) -> dict[str, Any]:
    """With the defaults of what it leaves out. Raises `InvalidInput` with every fault."""
    known = ", ".join(DEFAULTS)
    faults = [
        Fault(f"template.{name}", f"This field is not known; there is {known}.")
        for name in sorted(set(template) - set(DEFAULTS))
    ]
    values = {**DEFAULTS, **{name: value for name, value in template.items() if name in DEFAULTS}}
    faults += [
        Fault(f"template.{name}", message)
        for name, (good, message) in RULES.items()
        if not good(values[name])
    ]
    if faults:
        raise InvalidInput("The node group's template is not valid.", faults=faults)
    return values
