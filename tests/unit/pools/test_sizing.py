"""The plan of a pool's size: each setting alone changes what is done."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
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


def test_the_replacements_of_worn_agents_are_ready_first() -> None:
    """All that may be worn soon are replaced at once; those that are leave one after the other."""
    worn = replace(QUIET, idle=4, target_size=4, max_size=7, wearing=2, worn=2, spares=2)
    first = plan(worn)
    assert (first.create, first.retire_worn, first.retire_idle) == (2, 0, 0)
    assert plan(replace(worn, starting=2)).retire_worn == 0
    then = plan(replace(worn, idle=6))
    assert (then.create, then.retire_worn, then.retire_idle) == (0, 1, 0)
    assert plan(replace(worn, idle=6, worn=0)).retire_worn == 0, "they serve on until they are worn"
    assert (
        plan(replace(worn, idle=30, target_size=26, max_size=40, worn=4, wearing=4, spares=4)).retire_worn
        == 3
    )
    assert plan(replace(worn, max_size=5)).create == 1


def test_an_agent_that_is_nearly_worn_replaces_none_that_is() -> None:
    worn = replace(QUIET, idle=3, target_size=1, min_size=1, starting=1, wearing=3, worn=1, spares=3)
    assert plan(worn).retire_worn == 0
    assert plan(replace(worn, idle=4, starting=0)).retire_worn == 1


def test_replacements_are_kept_a_little_longer_than_they_are_needed() -> None:
    made = replace(QUIET, idle=4, wearing=1, spares=2)
    assert (plan(made).create, plan(made).retire_idle) == (0, 0)
    assert plan(replace(made, spares=1)).retire_idle == 1
    assert plan(replace(made, steered=True, ceiling=3)).retire_idle == 1


def test_worn_agents_serve_on_where_there_is_no_room() -> None:
    worn = replace(QUIET, idle=4, target_size=4, max_size=4, wearing=2, worn=2, spares=2)
    assert (plan(worn).create, plan(worn).retire_worn, plan(worn).ahead) == (0, 0, False)
    assert plan(replace(worn, max_size=5)).ahead


def test_a_ceiling_pays_for_no_replacements_ahead() -> None:
    worn = replace(QUIET, idle=4, target_size=4, steered=True, wearing=2, worn=2, spares=2)
    assert (plan(worn).create, plan(replace(worn, ceiling=5)).create) == (2, 1)
    assert (plan(replace(worn, ceiling=4)).create, plan(replace(worn, ceiling=4)).retire_worn) == (0, 0)


def test_without_warm_up_no_worn_agent_is_replaced_ahead() -> None:
    worn = replace(QUIET, active=1, target_size=0, warm_up=False, wearing=1, worn=1, spares=1)
    assert (plan(worn).create, plan(worn).retire_worn, plan(worn).ahead) == (0, 0, False)
    assert plan(replace(worn, target_size=1, steered=True)).create == 1, "the scaler wants it there"


def test_an_old_and_a_worn_agent_leave_in_turn() -> None:
    both = replace(QUIET, idle=6, target_size=4, overdue=1, wearing=1, worn=1, spares=1)
    sizes = plan(both)
    assert (sizes.create, sizes.retire_overdue, sizes.retire_worn) == (0, 1, 0)


def test_no_worn_agent_leaves_while_somebody_waits() -> None:
    worn = replace(QUIET, idle=4, target_size=2, wearing=1, worn=1, spares=1, steered=True, max_size=9)
    assert plan(worn).retire_worn == 1
    assert plan(replace(worn, waiting=1)).retire_worn == 0


def test_idle_agents_of_another_team_replace_no_worn_one() -> None:
    """They are of no use to it."""
    worn = replace(QUIET, idle=3, target_size=2, wearing=1, worn=1, spares=1, apart=True, ceiling=9)
    assert plan(worn).retire_worn == 1
    assert plan(replace(worn, waiting=1)).retire_worn == 0


def test_the_scaler_says_how_many_replacements_there_may_be() -> None:
    worn = replace(QUIET, idle=2, wearing=2, spares=2)
    assert plan(worn).create == 2
    assert plan(replace(worn, most_spares=1)).create == 1
    assert (plan(replace(worn, most_spares=0)).create, plan(replace(worn, most_spares=0)).ahead) == (0, False)
    assert plan(replace(worn, idle=4, most_spares=1)).retire_idle == 1
    old = replace(QUIET, idle=2, overdue=1)
    assert (plan(old).create, plan(old).retire_overdue) == (1, 0)
    none = plan(replace(old, most_spares=0))
    assert (none.create, none.retire_overdue) == (1, 0), "which has nothing to do with age"


def test_a_pool_without_warm_up_at_size_zero_replaces_none_ahead() -> None:
    last = replace(QUIET, active=1, wearing=1, spares=1, target_size=0, warm_up=False, steered=True)
    assert (plan(last).create, plan(last).ahead) == (0, False)
    assert plan(replace(last, target_size=1)).create == 1


def test_agents_that_start_are_no_reason_to_retire_those_that_are_ready() -> None:
    """As many as were asked for stay ready, where no limit takes them away."""
    surplus = replace(QUIET, idle=2, starting=8, max_size=10, wearing=7, spares=7)
    assert plan(surplus).retire_idle == 0
    assert plan(replace(surplus, spares=0, wearing=0)).retire_idle == 0
    assert plan(replace(surplus, idle=10, starting=0)).retire_idle == 1
    assert plan(replace(surplus, idle=3, starting=8)).retire_idle == 1, "above its limit by one"
    assert plan(replace(surplus, idle=3, starting=8, spares=0, wearing=0)).retire_idle == 1


def test_idle_time_outs_leave_the_replacements() -> None:
    assert plan(replace(QUIET, idle=3, wearing=1, spares=1)).reap_above == 3
    assert plan(replace(QUIET, idle=2, starting=1, wearing=1, spares=1)).reap_above == 2
    assert plan(replace(QUIET, idle=2, starting=2, target_size=4)).reap_above == 2, "those serve nobody yet"
    assert plan(replace(QUIET, idle=3)).reap_above == 2


def test_the_scaler_hears_how_many_replacements_there_should_be() -> None:
    """Whatever it allows now; those that are kept count while they are there."""
    worn = replace(QUIET, idle=2, wearing=1, spares=2)
    assert plan(worn).spares == 1
    assert plan(replace(worn, most_spares=0)).spares == plan(replace(worn, ceiling=2)).spares == 1
    assert plan(replace(worn, idle=4)).spares == 2
    assert plan(replace(worn, max_size=2)).spares == 0
    assert plan(replace(worn, warm_up=False, target_size=0)).spares == 0


numbers = st.integers(0, 30)


maybe = st.none() | numbers


@st.composite
def pools(draw: st.DrawFn) -> PoolFigures:
    maximum, starting, idle, active = draw(st.integers(1, 30)), draw(numbers), draw(numbers), draw(numbers)
    overdue = draw(st.integers(0, idle + active))
    wearing = draw(st.integers(0, starting + idle + active - overdue))
    return PoolFigures(
        min_size=draw(st.integers(0, maximum)),
        max_size=maximum,
        warm_up=draw(st.booleans()),
        target_size=draw(numbers),
        starting=starting,
        idle=idle,
        active=active,
        leaving=draw(numbers),
        waiting=draw(numbers),
        overdue=overdue,
        wearing=wearing,
        worn=draw(st.integers(0, min(idle, idle + active - overdue))),
        spares=wearing + draw(numbers),
        apart=draw(st.booleans()),
        steered=draw(st.booleans()),
        ceiling=draw(maybe),
        most_spares=draw(maybe),
    )


@given(pools())
@settings(max_examples=500)
def test_limits_always_hold(pool: PoolFigures) -> None:
    sizes = plan(pool)
    most = pool.max_size if pool.ceiling is None else min(pool.max_size, pool.ceiling)
    ready = pool.idle + pool.active
    assert sizes.create >= 0
    assert 0 <= sizes.retire_idle <= pool.idle
    assert sizes.create == 0 or pool.live + sizes.create <= most
    assert not (sizes.create and sizes.retire_idle)
    assert 0 <= sizes.retire_overdue <= pool.overdue
    assert 0 <= sizes.retire_worn <= pool.worn
    assert sizes.retire_overdue + sizes.retire_worn <= max(1, pool.serving // 10)
    if sizes.retire_worn:
        assert ready - sizes.retire_overdue - sizes.retire_worn >= min(sizes.target_size, most)
    if pool.serving <= most:
        left = ready - sizes.retire_idle - sizes.retire_worn
        assert left >= min(ready, sizes.target_size), "what was asked for stays ready"
    assert 0 <= sizes.target_size <= most
    beside = max(sizes.target_size, min(most, pool.active + pool.waiting)) + max(1, pool.serving // 10)
    if sizes.create and pool.most_spares is not None and not pool.strangers:
        assert pool.serving + sizes.create <= beside + pool.most_spares
    if pool.live < most and pool.serving == 0 and pool.waiting:
        assert sizes.create > 0
