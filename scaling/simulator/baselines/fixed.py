"""A pool of one size."""

from __future__ import annotations

from scaling.simulator.plant import Observation


class Fixed:
    def __init__(self, size: int) -> None:
        self._size = size

    def decide(self, seen: Observation) -> int:
        return self._size
