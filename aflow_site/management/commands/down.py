"""`./aflow down`."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from aflow_site.supervision import environment, orphans, stopping, supervisor_client
from aflow_site.supervision.command import PlatformCommand


class Command(PlatformCommand):
    help = "Stops the platform, whatever is left of it, and removes its agents."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--failed", action="store_true", help="end with exit code 1: what ran had failed")

    def run(self, options: dict[str, Any]) -> int:
        if not self.layout.secret_key.exists():
            self.voice.say(f"Nothing was ever started in {self.layout.data_dir}.")
            return 0
        instance: str = settings.AFLOW_INSTANCE
        running = supervisor_client.answers(self.layout) or bool(orphans.find(instance, self.layout.redis))
        if not running and not environment.load(self.layout):
            self.voice.say("Nothing is running.")
            return 0
        stopping.stop(self.layout, instance, self.voice)
        return 1 if options["failed"] else 0
