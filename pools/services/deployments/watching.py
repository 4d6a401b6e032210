"""Whether a deployed agent that runs is well: GET its health path, again and again.

Does not: restart it; it says that it is unwell, and the keeper acts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pools.domain.deployments import HEALTHY_FOR, Health
from pools.models import DeployedAgent
from pools.runtime.contract import AgentHttp
from pools.services.controller.registry import in_database
from pools.services.deployments import rows

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0  # seconds between two looks at one that is starting


@dataclass(frozen=True, slots=True)
class Watch:
    """Of one agent, as long as its container runs. `unwell` is told a sentence each time that it turns so."""

    agent: DeployedAgent
    address: str
    headers: dict[str, str]
    http: AgentHttp
    well: Callable[[], None]
    unwell: Callable[[str], Awaitable[None]]
    healthy_for: float = HEALTHY_FOR

    async def run(self) -> None:
        """Until it is cancelled."""
        check = self.agent.health_check
        if check is None:
            await self._tell(Health.OK)
            await asyncio.sleep(self.healthy_for)
            await in_database(rows.forget_deaths, self.agent.pk)
            return
        if await self._starts(check):
            await self._tell(Health.OK)
        else:
            seconds = check["start_period"]
            await self._fail(f"It did not answer GET {check['path']} within {seconds:g} s of its start.")
        await self._go_on(check)

    async def _starts(self, check: dict[str, Any]) -> bool:
        deadline, pause = time.monotonic() + check["start_period"], FIRST_PAUSE
        while not await self._is_well(check):
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 1.5)
        return True

    async def _go_on(self, check: dict[str, Any]) -> None:
        failures, since, forgotten = 0, time.monotonic(), self.agent.deaths == 0
        while True:
            await asyncio.sleep(check["interval"])
            if await self._is_well(check):
                if failures:
                    since = time.monotonic()
                    await self._tell(Health.OK)
                failures = 0
                if not forgotten and time.monotonic() - since >= self.healthy_for:
                    await in_database(rows.forget_deaths, self.agent.pk)
                    forgotten = True
                continue
            failures += 1
            if failures == check["retries"]:
                times = f"{failures} times in a row" if failures > 1 else "once"
                await self._fail(f"It did not answer GET {check['path']} {times}.")

    async def _is_well(self, check: dict[str, Any]) -> bool:
        found = await self.http.health(
            self.address, self.headers, within=check["timeout"], path=check["path"]
        )
        return found.ok

    async def _tell(self, health: Health) -> None:
        await in_database(rows.tell_health, self.agent.pk, health, None)
        self.well()

    async def _fail(self, sentence: str) -> None:
        await in_database(rows.tell_health, self.agent.pk, Health.FAILING, sentence)
        await self.unwell(sentence)
