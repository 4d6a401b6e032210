"""What a node group says of its instance types, and the template of a machine of each."""

from __future__ import annotations

from typing import Any

import pytest

from aflow_site.kernel.errors import Fault, InvalidInput
from pools.domain.instance_types import UNSAID, read_machines, risk_of, template_of, templates_of
from pools.providers.ec2_templates import DEFAULTS, check_template

COMMON = {name: value for name, value in DEFAULTS.items() if name not in {"instance_type", "on_demand_price"}}
IMAGE = {"image_id": "ami-0abc"}


def a_type(name: str, **values: Any) -> dict[str, Any]:
    return {**UNSAID, "type": name, **values}


def faults_of(template: Any, types: Any, before: Any) -> list[str]:
    with pytest.raises(InvalidInput) as refused:
        read_machines(template, types, before, check_template)
    return [fault.path for fault in refused.value.faults]


def test_a_template_that_names_a_type_is_that_one_type() -> None:
    old = {**IMAGE, "instance_type": "m7g.large", "on_demand_price": 0.08}
    read = read_machines(old, None, [], check_template)
    assert read == ({**COMMON, **IMAGE}, [a_type("m7g.large", on_demand_price=0.08)])
    # The machine's template is what it was.
    assert templates_of(*read) == {"m7g.large": check_template(old)}
    assert faults_of({"instance_type": "large"}, None, []) == [
        "template.instance_type",
        "template.image_id",
    ]


def test_a_type_has_of_its_own_what_differs_from_the_group() -> None:
    arm = a_type("m7g.large", template={"image_id": "ami-0a", "disk_name": "/dev/sda1"})
    template, types = read_machines(IMAGE, [arm, a_type("m7i.large")], [], check_template)
    assert template == {**COMMON, **IMAGE}
    made = templates_of(template, types)
    assert {name: (one["image_id"], one["disk_name"]) for name, one in made.items()} == {
        "m7g.large": ("ami-0a", "/dev/sda1"),
        "m7i.large": ("ami-0abc", "/dev/xvda"),
    }
    # What each has of its own, the group need not say.
    template, types = read_machines({}, [arm, {**arm, "type": "c7g.large"}], [], check_template)
    assert "image_id" not in template
    assert template_of(template, types[1])["image_id"] == "ami-0a"


def test_types_stay_while_only_the_template_changes() -> None:
    before = [a_type("m7g.large")]
    assert read_machines(IMAGE, None, before, check_template)[1] == before
    assert read_machines(IMAGE, [{"type": "c7g.large"}], before, check_template)[1] == [a_type("c7g.large")]
    assert faults_of(IMAGE, [], before) == ["instance_types"]


def test_every_fault_stands_at_what_is_to_blame_and_stands_there_once() -> None:
    types = [
        {"type": "large", "on_demand_price": -1.0},
        {"type": "m7g.large", "interruption_risk": float("nan")},
        {"type": "m7g.large", "template": {"disk_gib": -1}},
    ]
    assert faults_of({"engine_port": 0}, types, []) == [
        "instance_types[1].interruption_risk",
        "instance_types[2].type",
        "instance_types[0].type",
        "template.image_id",
        "instance_types[0].on_demand_price",
        "template.engine_port",
        "instance_types[2].template.disk_gib",
    ]


def test_what_is_said_twice_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        read_machines({"on_demand_price": 1}, [a_type("m7g.large")], [], check_template)
    message = "Say it of each type, in instance_types; here leave it out."
    assert list(refused.value.faults) == [Fault("template.on_demand_price", message)]
    inside = a_type("m7g.large", template={"instance_type": "m7g.xlarge"})
    assert faults_of(IMAGE, [inside], []) == ["instance_types[0].template.instance_type"]


@pytest.mark.parametrize(
    ("said", "hours", "interruptions", "risk"),
    [
        (None, 0.0, 0, 0.0),
        (None, 0.1, 1, 1.0),
        (None, 10.0, 1, 0.1),
        (0.5, 0.0, 0, 0.5),
        (0.5, 24.0, 0, 0.25),
        (0.0, 24.0, 12, 0.25),
    ],
)
def test_a_risk_that_is_said_is_outweighed_by_what_was_seen(
    said: float | None, hours: float, interruptions: int, risk: float
) -> None:
    assert risk_of(said, hours, interruptions) == pytest.approx(risk)
