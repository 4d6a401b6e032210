from typing import Any

import pytest

from workflows.domain.document import Document
from workflows.domain.pools import named_pool, own_pool


def one(options: Any, **defaults: Any) -> tuple[Document, Any]:
    step = {"id": "Count", "type": "task", "run": {"code": "1"}, "pool": options}
    document = Document.model_validate({"name": "w", "steps": [step], "defaults": defaults})
    return document, document.steps[0]


@pytest.mark.parametrize(
    ("options", "low", "high", "warm", "uses"),
    [
        ({"size": 4}, 4, 4, True, None),
        ({"size": 4, "warm_up": False}, 0, 4, False, None),
        ({"size": 4, "max_uses": 7}, 4, 4, True, 7),
        ({"min_size": 1, "max_size": 3, "warm_up": True}, 1, 3, True, None),
        ({"min_size": 8}, 8, 8, False, None),
        ({}, 0, 5, False, None),
        ({"mode": "standard", "size": 4}, 0, 4, False, 1),
    ],
)
def test_what_options_ask_for(
    options: dict[str, Any], low: int, high: int, warm: bool, uses: int | None
) -> None:
    pool = own_pool(*one(options))
    assert pool is not None
    assert (pool.name, pool.min_size, pool.max_size, pool.warm_up, pool.max_uses) == (
        "w-count",
        low,
        high,
        warm,
        uses,
    )


def test_named_pools() -> None:
    assert named_pool(*one("gpu")) == "gpu"
    assert named_pool(*one(None, pool="shared")) == "shared"
    assert named_pool(*one(None)) is None
    assert named_pool(*one({"size": 2}, pool="shared")) is None


def test_what_its_agents_have() -> None:
    wanted = {"env": {"A": "1"}, "cpu": 0.5, "memory": 2**28, "pids": 64}
    pool = own_pool(*one(wanted))
    assert pool is not None
    assert {"env": pool.env, "cpu": pool.cpu, "memory": pool.memory, "pids": pool.pids} == wanted
