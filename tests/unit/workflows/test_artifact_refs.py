"""References to artifacts, and values that only look like them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.domain.artifacts import Ref, is_ref, packed, place_of, read_ref, unpacked

SHA = "ab" * 32
REF = Ref(SHA, 70_000)


def test_a_reference_is_read_back() -> None:
    assert read_ref(REF.as_json()) == REF
    assert REF.as_json() == {"$artifact": SHA, "size": 70_000, "content_type": "application/json"}


@pytest.mark.parametrize(
    "value",
    [
        {"$artifact": SHA},
        {**REF.as_json(), "more": 1},
        {**REF.as_json(), "size": True},
        {**REF.as_json(), "size": 1.5},
        {**REF.as_json(), "$artifact": SHA.upper()},
        {**REF.as_json(), "$artifact": 7},
        [REF.as_json()],
        SHA,
        None,
    ],
)
def test_what_is_no_reference(value: Any) -> None:
    assert not is_ref(value)
    assert packed(value) == value


def test_somebody_s_own_value_is_not_taken_for_a_reference() -> None:
    stored = packed(REF.as_json())
    assert not is_ref(stored)
    assert unpacked(stored) == REF.as_json()


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
LOOKALIKES = st.just(REF.as_json()) | st.just({"$literal": 1}) | st.just({"$literal": REF.as_json()})
VALUES = st.recursive(
    SCALARS | LOOKALIKES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["$literal", "$artifact", "size", "a"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_every_value_survives_its_column(value: Any) -> None:
    assert unpacked(packed(value)) == value
    assert not is_ref(packed(value))


def test_folders() -> None:
    assert place_of(7, SHA) == f"7/ab/ab/{SHA}"
