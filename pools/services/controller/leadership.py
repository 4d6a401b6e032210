"""One controller leads at a time: a lock in Redis says who may try, a row says who may write."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from pools.leases.store import AsyncLeases
from pools.services import epochs
from pools.services.controller.registry import in_database, now

LEAD_TTL = 5.0
BEAT = 1.0


@dataclass(slots=True)
class Silence:
    """What another leader said last, and since when (on the monotonic clock) it has said nothing else.
    Outlives the controllers that seek the lead one after another."""

    said: str = ""
    since: float = 0.0

    def heard(self, said: str) -> None:
        if said != self.said:
            self.said, self.since = said, time.monotonic()

    @property
    def dead(self) -> str:
        """What is known of a leader that must be dead; empty while it may live."""
        return self.said if self.said and time.monotonic() - self.since > LEAD_TTL else ""


class Leadership:
    def __init__(self, leases: AsyncLeases, instance: str, silence: Silence | None = None) -> None:
        self._leases = leases
        self._instance = instance
        self._silence = silence or Silence()
        self.token = secrets.token_hex(16)

    async def seek(self) -> bool:
        """True when we lead now. Raises ConnectionError."""
        if not await self._ask():
            return False
        await in_database(epochs.take_lead, self._instance, self.token, now())
        return True

    async def keep(self) -> bool:
        """False when another took over."""
        if not await self._ask():
            return False
        return bool(await in_database(epochs.leads, self._instance, self.token))

    async def renew(self) -> None:
        """Says again that we lead."""
        await self._ask()

    async def _ask(self) -> bool:
        said = await self._leases.lead(self.token, LEAD_TTL, silent=self._silence.dead)
        self._silence.heard(said)
        return not said

    async def resign(self) -> None:
        await self._leases.resign(self.token)
