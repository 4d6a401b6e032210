from __future__ import annotations

from typing import Any

import pytest

from pools.domain.quantities import cpus, memory_bytes, seconds


@pytest.mark.parametrize(
    ("text", "value"), [("0.5", 0.5), ("500m", 0.5), (2, 2.0), ("1", 1.0), (0.25, 0.25), (" 250m ", 0.25)]
)
def test_cpus(text: Any, value: float) -> None:
    assert cpus(text) == value


@pytest.mark.parametrize("text", ["", "m", "half", "1 CPU", "-1", "1e3", None, True, [], "5" * 50])
def test_no_cpus(text: Any) -> None:
    with pytest.raises(ValueError, match="500m"):
        cpus(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("512M", 512_000_000),
        ("1Gi", 1024**3),
        ("1.5Gi", 1536 * 1024**2),
        ("100k", 100_000),
        ("64Mi", 64 * 1024**2),
        ("2T", 2 * 10**12),
        (1048576, 1048576),
        ("1000", 1000),
    ],
)
def test_memory(text: Any, value: int) -> None:
    assert memory_bytes(text) == value


@pytest.mark.parametrize("text", ["", "512m", "1GB", "1gi", "lots", "-1", 1.5, float("inf"), None, True])
def test_no_memory(text: Any) -> None:
    with pytest.raises(ValueError, match="512M"):
        memory_bytes(text)


def test_huge_numbers_are_no_faults_of_ours() -> None:
    assert cpus(10**400) == float("inf")
    with pytest.raises(ValueError, match="512M"):
        memory_bytes(10**400)


@pytest.mark.parametrize(("text", "value"), [("500ms", 0.5), ("30s", 30), ("2m", 120), ("1h", 3600), (7, 7)])
def test_seconds(text: Any, value: float) -> None:
    assert seconds(text) == value
