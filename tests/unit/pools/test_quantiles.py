from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pools.domain.quantiles import nearest_rank


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([15, 20, 35, 40, 50], 0.05, 15),
        ([15, 20, 35, 40, 50], 0.3, 20),
        ([15, 20, 35, 40, 50], 0.4, 20),
        ([15, 20, 35, 40, 50], 0.5, 35),
        ([15, 20, 35, 40, 50], 1.0, 50),
        ([2, 1], 0.5, 1),
        ([1, 2, 3, 4], 0.5, 2),
        (range(1, 101), 0.99, 99),
        (range(1, 101), 0.07, 7),
        ([7], 0.0, 7),
        ([], 0.5, None),
    ],
)
def test_examples(values: list[float], share: float, expected: float | None) -> None:
    assert nearest_rank(values, share) == expected


@given(st.lists(st.integers(0, 1000), min_size=1), st.integers(1, 100))
def test_the_smallest_value_that_enough_do_not_exceed(values: list[int], percent: int) -> None:
    found = nearest_rank(values, percent / 100)
    assert found in values
    needed = percent * len(values) / 100
    assert found == min(value for value in values if sum(other <= value for other in values) >= needed)
