from __future__ import annotations

from typing import Any

import pytest

from aflow_site.kernel.json import DEEPEST, to_json


def nested(levels: int, inner: Any = 1) -> Any:
    for _ in range(levels):
        inner = [inner]
    return inner


def test_so_many_values_may_be_in_each_other() -> None:
    deepest = DEEPEST - 1  # and the number in it
    assert to_json(nested(deepest)) == b"[" * deepest + b"1" + b"]" * deepest
    with pytest.raises(RecursionError, match="values in each other"):
        to_json(nested(DEEPEST))


def test_what_stands_in_many_places_or_in_itself_is_told_soon() -> None:
    doubled: Any = [1]
    for _ in range(DEEPEST):
        doubled = [doubled, doubled]  # gone through place by place it would never end
    endless: list[Any] = []
    endless += [endless, {"again": endless}]
    for value in (doubled, endless):
        with pytest.raises(RecursionError, match="values in each other"):
            to_json(value)
