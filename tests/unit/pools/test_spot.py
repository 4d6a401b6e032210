"""Which new agents go to spot nodes, where that is preferred."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pools.domain.spot import Mix, base_of, kinds_for

MIX = Mix(base=2, others=0, spot_open=True, on_demand_open=True, fallback=True)


def test_on_demand_up_to_the_base_and_spot_above_it() -> None:
    assert kinds_for(4, MIX) == ["on_demand", "on_demand", "spot", "spot"]
    assert kinds_for(2, replace(MIX, others=1)) == ["on_demand", "spot"]
    assert kinds_for(1, replace(MIX, others=5)) == ["spot"]
    assert kinds_for(0, MIX) == []


def test_without_spot_nodes_they_go_anywhere_or_wait() -> None:
    short = replace(MIX, spot_open=False)
    assert kinds_for(4, short) == ["on_demand", "on_demand", "", ""]
    assert kinds_for(4, replace(short, fallback=False)) == ["on_demand", "on_demand"]


def test_without_on_demand_nodes_the_base_goes_anywhere() -> None:
    assert kinds_for(3, replace(MIX, on_demand_open=False)) == ["", "", "spot"]


@pytest.mark.parametrize(
    ("min_size", "sizes", "base"), [(0, [], 0), (2, [1, 1, 1], 2), (1, [2, 4, 9], 4), (0, [0, 0, 8], 0)]
)
def test_the_base_is_what_is_needed_half_of_the_time(min_size: int, sizes: list[float], base: int) -> None:
    assert base_of(min_size, sizes) == base
