"""The controller process: what must happen on time, whoever else is alive.

Pools: reconcile with the runtime, sizes, health, live figures. Scaling: how large each pool shall be.
Workflows: runs without a living driver, triggers that are due, and what is older than it is kept.
"""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand

from pools.facade import api as pools
from scaling.facade import api as scaling
from workflows.facade import api as workflows


class Command(BaseCommand):
    help = "Runs the controller until SIGTERM or SIGINT."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(_main())


async def _main() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with asyncio.TaskGroup() as group:
        group.create_task(pools.run_controller(stop, beside=scaling.loops))
        group.create_task(workflows.sweep_forever(stop))
        group.create_task(workflows.fire_forever(stop))
        group.create_task(workflows.foresee_forever(stop))
        group.create_task(workflows.keep_accounts_forever(stop))
        group.create_task(workflows.tidy_forever(stop))
