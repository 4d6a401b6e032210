"""Tells the websockets that a run has news. The news themselves are rows; a lost message costs a delay."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

from channels.layers import get_channel_layer

from workflows.services.nudges import run_group

log = logging.getLogger(__name__)

COALESCE = 0.03  # seconds between two messages of one run


class Announcer:
    """At most one message per run and COALESCE seconds, whatever the number of commits."""

    def __init__(self) -> None:
        self._layer = get_channel_layer()
        self._news: dict[UUID, int] = {}
        self._task: asyncio.Task[None] | None = None

    def run_changed(self, run_id: UUID, seq: int) -> None:
        self._news[run_id] = seq
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        try:
            while self._news:
                news, self._news = self._news, {}
                for run_id, seq in news.items():
                    await self._layer.group_send(run_group(run_id), {"type": "run.changed", "seq": seq})
                await asyncio.sleep(COALESCE)
        except Exception as exc:  # Redis may be away; the sockets ask the rows again by themselves
            log.warning("could not announce a run's news: %s", exc)
        finally:
            self._task = None

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._layer.close_pools() if hasattr(self._layer, "close_pools") else None
