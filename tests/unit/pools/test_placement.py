from __future__ import annotations

import pytest

from pools.domain.nodes import facts_of
from pools.domain.placement import ANYWHERE, ZONE, Place, refusal

NODES = [
    ("a", facts_of({"agentainer.capacity": "spot", "agentainer.zone": "north"})),
    ("b", facts_of({"agentainer.zone": "North"})),
    ("c", facts_of({})),
]


@pytest.mark.parametrize(
    ("place", "there"),
    [
        (ANYWHERE, "abc"),
        (Place("spot"), "a"),
        (Place("on_demand"), "bc"),
        (Place(zone="north"), "ab"),
        (Place("spot", "NORTH"), "a"),
        (Place("on_demand", "north"), "b"),
        (Place(zone="south"), ""),
    ],
)
def test_where_an_agent_may_run(place: Place, there: str) -> None:
    assert "".join(name for name, facts in NODES if place.allows(facts)) == there
    assert (refusal(place, NODES) is None) is bool(there)


def test_a_refusal_names_what_is_asked_for_and_what_there_is() -> None:
    said = str(refusal(Place("spot", "south"), NODES))
    assert "asks for spot capacity in zone south" in said
    assert "there is a (spot, zone north), b (on-demand, zone North), c (on-demand, no zone)." in said
    many = [(str(number), facts_of({})) for number in range(8)]
    assert "and 3 more" in str(refusal(Place("spot"), many))
    assert "no node takes any now" in str(refusal(Place("spot"), []))
    assert refusal(ANYWHERE, []) is None


@pytest.mark.parametrize("zone", ["", "-a", "a b", "a==b", "ä", "x" * 64, "a\n"])
def test_what_is_no_zone(zone: str) -> None:
    assert ZONE.fullmatch(zone) is None
