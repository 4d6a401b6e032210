"""`python manage.py remove_agents`: ends every agent of this installation. The controller must not run."""

from __future__ import annotations

import asyncio
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from pools.facade import api as pools
from pools.runtime.base import RuntimeFault


class Command(BaseCommand):
    help = "Removes every agent of this installation (the controller must not run)."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            removed = asyncio.run(pools.shutdown_all())
        except RuntimeFault as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(f"{removed} agents removed.")
