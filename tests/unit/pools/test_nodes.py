from __future__ import annotations

from decimal import Decimal

import pytest

from pools.domain.nodes import (
    Availability,
    CapacityType,
    DrainFigures,
    NodeState,
    facts_of,
    may_leave,
    state_of,
)


def test_labels_that_say_nothing() -> None:
    facts = facts_of({"other": "label"})
    assert (facts.price, facts.capacity_type, facts.zone) == (None, CapacityType.ON_DEMAND, "")
    assert facts.faults == ()


def test_labels_are_read() -> None:
    labels = {"agentainer.price": "0.125", "agentainer.capacity": "spot", "agentainer.zone": "north"}
    facts = facts_of(labels)
    assert (facts.price, facts.capacity_type, facts.zone) == (Decimal("0.125"), CapacityType.SPOT, "north")


@pytest.mark.parametrize("price", ["free", "-1", "NaN", "Infinity", "1e9"])
def test_a_price_that_is_none_is_told(price: str) -> None:
    facts = facts_of({"agentainer.price": price, "agentainer.capacity": "cheap"})
    assert facts.price is None
    assert facts.capacity_type is CapacityType.ON_DEMAND
    assert len(facts.faults) == 2
    assert repr(price) in facts.faults[0]


@pytest.mark.parametrize(
    ("heard", "availability", "drain_wanted", "state"),
    [
        (True, "active", False, NodeState.READY),
        (True, "active", True, NodeState.READY),  # opened by the engine's own means
        (True, "pause", False, NodeState.CORDONED),
        (True, "pause", True, NodeState.DRAINING),
        (True, "drain", False, NodeState.DRAINING),
        (False, "active", False, NodeState.LOST),
        (False, "drain", True, NodeState.LOST),
    ],
)
def test_states(heard: bool, availability: str, drain_wanted: bool, state: NodeState) -> None:
    told = state_of(heard=heard, availability=Availability(availability), drain_wanted=drain_wanted)
    assert told is state


@pytest.mark.parametrize(
    ("figures", "leave"),
    [
        # no replacement is ready yet
        (DrainFigures(target=3, ready=0, starting=3, doomed=3, room=0, patience_over=False), 0),
        (DrainFigures(target=3, ready=1, starting=2, doomed=3, room=0, patience_over=False), 1),
        (DrainFigures(target=3, ready=3, starting=0, doomed=3, room=0, patience_over=False), 3),
        # the pool may not have both at once: one makes room for the next
        (DrainFigures(target=3, ready=0, starting=0, doomed=3, room=0, patience_over=False), 1),
        # more than the pool wants anyway
        (DrainFigures(target=1, ready=0, starting=0, doomed=3, room=2, patience_over=False), 2),
        (DrainFigures(target=3, ready=0, starting=0, doomed=3, room=5, patience_over=True), 3),
        (DrainFigures(target=3, ready=3, starting=0, doomed=0, room=0, patience_over=True), 0),
    ],
)
def test_how_many_may_leave(figures: DrainFigures, leave: int) -> None:
    assert may_leave(figures) == leave
