"""The plan of a pool's size: each setting alone changes what is done."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pools.domain.sizing import PoolFigures, plan, target_after_reaping

QUIET = PoolFigures(
    min_size=2,
    max_size=6,
    warm_up=True,
    target_size=2,
    starting=0,
    idle=0,
    active=0,
    leaving=0,
    waiting=0,
)


def test_min_size_alone() -> None:
    assert plan(QUIET).create == 2
    assert plan(replace(QUIET, min_size=3)).create == 3


def test_max_size_alone() -> None:
    busy = replace(QUIET, active=2, waiting=10)
    assert plan(busy).create == 4
    assert plan(replace(busy, max_size=3)).create == 1


def test_warm_up_alone() -> None:
    assert plan(replace(QUIET, warm_up=False, target_size=0)).create == 0
    assert plan(replace(QUIET, warm_up=True, target_size=0)).create == 2


def test_target_size_alone() -> None:
    assert plan(replace(QUIET, target_size=5)).create == 5


def test_agents_that_leave_count_toward_the_maximum() -> None:
    assert plan(replace(QUIET, active=2, leaving=3, waiting=9)).create == 1


def test_agents_that_start_are_not_made_twice() -> None:
    assert plan(replace(QUIET, starting=2)).create == 0


def test_a_lower_target_retires_idle_agents_only() -> None:
    assert plan(replace(QUIET, idle=1, active=4, target_size=2, max_size=9)).retire_idle == 1


def test_growth_raises_a_warm_pools_target() -> None:
    assert plan(replace(QUIET, active=2, waiting=2)).target_size == 4
    assert plan(replace(QUIET, active=2, waiting=2, warm_up=False)).target_size == 2


def test_without_warm_up_nothing_is_replaced_ahead_of_demand() -> None:
    used_up = replace(QUIET, warm_up=False, target_size=0, leaving=1)
    assert plan(used_up).create == 0
    assert plan(replace(used_up, waiting=1)).create == 1


@pytest.mark.parametrize(
    ("target", "reaped", "minimum", "left"), [(5, 2, 1, 3), (5, 9, 1, 1), (0, 1, 2, 0), (2, 1, 2, 2)]
)
def test_reaping_lowers_the_target(target: int, reaped: int, minimum: int, left: int) -> None:
    assert target_after_reaping(target, reaped, minimum) == left


def test_idle_agents_of_another_team_are_no_help_to_those_who_wait() -> None:
    """Where teams keep apart; else an agent that came free this moment would count as none."""
    shared = replace(QUIET, idle=3, waiting=1, warm_up=False, target_size=0, max_size=5)
    assert plan(shared).create == 0
    assert plan(replace(shared, apart=True)).create == 1
    assert plan(replace(shared, apart=True, waiting=9)).create == 2, "within the pool's limits"
    assert plan(replace(shared, apart=True, waiting=0)).create == 0


def test_the_replacement_of_an_old_agent_is_ready_first() -> None:
    old = replace(QUIET, idle=4, target_size=4, min_size=4, max_size=6, overdue=2)
    first = plan(old)
    assert (first.create, first.retire_overdue, first.retire_idle) == (1, 0, 0)
    assert plan(replace(old, starting=1)).retire_overdue == 0
    then = plan(replace(old, idle=5))
    assert (then.create, then.retire_overdue, then.retire_idle) == (0, 1, 0)


def test_a_full_pool_replaces_its_old_agents_one_after_the_other() -> None:
    old = replace(QUIET, idle=4, target_size=4, min_size=4, max_size=4, overdue=4)
    assert (plan(old).create, plan(old).retire_overdue) == (0, 1)
    assert (
        plan(replace(old, idle=30, max_size=30, min_size=30, target_size=30, overdue=30)).retire_overdue == 3
    )


numbers = st.integers(0, 30)


@given(
    numbers, st.integers(1, 30), st.booleans(), numbers, numbers, numbers, numbers, numbers, numbers, numbers
)
def test_limits_always_hold(
    minimum: int,
    maximum: int,
    warm_up: bool,
    target: int,
    starting: int,
    idle: int,
    active: int,
    leaving: int,
    waiting: int,
    overdue: int,
) -> None:
    overdue = min(overdue, idle + active)
    pool = PoolFigures(
        min(minimum, maximum), maximum, warm_up, target, starting, idle, active, leaving, waiting, overdue
    )
    sizes = plan(pool)
    assert sizes.create >= 0
    assert 0 <= sizes.retire_idle <= pool.idle
    assert sizes.create == 0 or pool.live + sizes.create <= pool.max_size
    assert not (sizes.create and sizes.retire_idle)
    assert 0 <= sizes.retire_overdue <= overdue
    assert 0 <= sizes.target_size <= pool.max_size
    if pool.live < pool.max_size and pool.serving == 0 and waiting:
        assert sizes.create > 0
