"""What work took beside its body: lease, wire, agent; kept in Redis for /metrics, as two short lists."""

from __future__ import annotations

import time

from pools.leases.store import AsyncLeases

KEPT = 1000
A_FLUSH = 200  # samples; more would tell nothing new
POOLED, COLD = "pooled", "cold"


class StartupTimes:
    """Samples are `milliseconds since 1970:seconds`, the newest first."""

    def __init__(self, leases: AsyncLeases, mode: str = POOLED) -> None:
        self._leases = leases
        self._key = leases.keys.startup(mode)
        self._samples: list[str] = []

    def note(self, seconds: float) -> None:
        if len(self._samples) < A_FLUSH:
            self._samples.append(f"{int(time.time() * 1000)}:{seconds:.6f}")

    async def flush(self) -> None:
        if not self._samples:
            return
        samples, self._samples = self._samples, []
        await self._leases.wire.call("LPUSH", self._key, *samples)
        await self._leases.wire.call("LTRIM", self._key, "0", str(KEPT - 1))
