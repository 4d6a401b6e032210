"""One controller leads at a time: a lock in Redis says who may try, a row says who may write."""

from __future__ import annotations

import secrets

from pools.leases.store import AsyncLeases
from pools.services import epochs
from pools.services.controller.registry import in_database, now

LEAD_TTL = 5.0
BEAT = 1.0


class Leadership:
    def __init__(self, leases: AsyncLeases, instance: str) -> None:
        self._leases = leases
        self._instance = instance
        self.token = secrets.token_hex(16)

    async def seek(self) -> bool:
        """True when we lead now. Raises ConnectionError."""
        if not await self._leases.lead(self.token, LEAD_TTL):
            return False
        await in_database(epochs.take_lead, self._instance, self.token, now())
        return True

    async def keep(self) -> bool:
        """False when another took over."""
        if not await self._leases.lead(self.token, LEAD_TTL):
            return False
        return bool(await in_database(epochs.leads, self._instance, self.token))

    async def resign(self) -> None:
        await self._leases.resign(self.token)
