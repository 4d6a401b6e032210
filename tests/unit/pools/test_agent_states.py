"""The table of an agent's states: every pair is walked."""

from __future__ import annotations

from itertools import product

import pytest

from pools.domain.agents import (
    LIVE,
    TRANSITIONS,
    AgentState,
    PublicState,
    propose,
    seen_from_outside,
)

S = AgentState


@pytest.mark.parametrize(("current", "wanted"), list(product(AgentState, AgentState)))
def test_every_pair_of_states(current: AgentState, wanted: AgentState) -> None:
    answer = propose(current, wanted)
    assert answer.accepted == (wanted == current or wanted in TRANSITIONS[current])
    assert answer.reason or answer.accepted


def test_the_table_is_whole() -> None:
    assert set(TRANSITIONS) == set(AgentState)


def test_every_state_but_the_last_can_end() -> None:
    for state in LIVE:
        assert S.GONE in TRANSITIONS[state]
    assert TRANSITIONS[S.GONE] == frozenset()


def test_nothing_comes_back_into_service_once_it_is_being_removed() -> None:
    reachable, frontier = set(), {S.STOPPING}
    while frontier:
        reachable |= frontier
        frontier = {after for state in frontier for after in TRANSITIONS[state]} - reachable
    assert reachable == {S.STOPPING, S.GONE}


def test_every_state_is_reached_from_the_first() -> None:
    reachable, frontier = set(), {S.REQUESTED}
    while frontier:
        reachable |= frontier
        frontier = {after for state in frontier for after in TRANSITIONS[state]} - reachable
    assert reachable == set(AgentState)


@pytest.mark.parametrize(
    ("row", "lease_state", "end", "public"),
    [
        (S.IDLE, "idle", "", PublicState.IDLE),
        (S.IDLE, "leased", "", PublicState.ACTIVE),
        (S.IDLE, "draining", "recycled", PublicState.DRAINING),
        (S.IDLE, "condemned", "max_uses", PublicState.DRAINING),
        (S.IDLE, "condemned", "unhealthy", PublicState.UNHEALTHY),
        (S.IDLE, None, "", PublicState.STARTING),
        (S.WARMING, None, None, PublicState.STARTING),
        (S.STOPPING, "leased", "scale_down", PublicState.DRAINING),
        (S.STOPPING, None, "unhealthy", PublicState.UNHEALTHY),
        (S.STOPPING, None, "memory", PublicState.UNHEALTHY),
        (S.STOPPING, None, None, PublicState.DRAINING),
        (S.GONE, None, "unhealthy", PublicState.TERMINATED),
    ],
)
def test_what_people_see(
    row: AgentState, lease_state: str | None, end: str | None, public: PublicState
) -> None:
    assert seen_from_outside(row, lease_state, end) is public
