"""`./aflow docs`."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from django.core.management.base import CommandParser

from aflow_site.supervision.command import PlatformCommand
from aflow_site.supervision.layout import BASE_DIR


class Command(PlatformCommand):
    help = "Builds the documentation into the directory `site`, with every link checked."

    def add_arguments(self, parser: CommandParser) -> None:
        """None: the site is the checkout's, whatever platform runs in it."""

    def run(self, options: dict[str, Any]) -> int:
        command = [sys.executable, "-m", "handbook"]
        return subprocess.run(command, cwd=BASE_DIR, env=dict(os.environ), check=False).returncode
