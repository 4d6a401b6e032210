"""The lists of maps, of which a page at a time is in memory."""

from __future__ import annotations

import tempfile
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.engine.bodies import listing
from workflows.engine.bodies.listing import Listing


@given(length=st.integers(0, 60), start=st.integers(0, 70), count=st.integers(0, 70), page=st.integers(1, 20))
def test_reads_what_a_list_holds(length: int, start: int, count: int, page: int) -> None:
    values = [{"place": place, "text": "ü" * place} for place in range(length)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "PAGE", page)
        patch.setattr(listing, "PAGE_BYTES", 300)
        found = Listing(values)
        assert len(found) == length
        assert found.read(start, count) == values[start : start + count]
        assert found.read(0, length) == values


def test_numbers_of_any_size_come_back() -> None:
    values = [10**30 + place for place in range(1500)]
    assert Listing(values).read(0, 1500) == values


def test_most_of_a_long_list_is_not_in_memory() -> None:
    def memory() -> int:
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = memory()
        values = [f"element {place:06}" for place in range(50_000)]
        whole = memory() - before
        found = Listing(values)
        del values
        assert found.read(49_999, 5) == ["element 049999"]
        assert memory() - before < whole / 10
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("length", [1500, 50_000])
def test_neither_is_it_while_it_is_laid_by(length: int) -> None:
    tracemalloc.start()
    try:
        found = Listing(f"element {place:06}" for place in range(length))
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == length
    assert peak < 1_000_000


def test_stays_in_memory_when_the_disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    values = list(range(3000))
    assert Listing(values).read(2998, 10) == [2998, 2999]
