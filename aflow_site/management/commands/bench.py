"""`./aflow bench`."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from django.core.management.base import CommandParser

from aflow_site.supervision.command import PlatformCommand
from aflow_site.supervision.layout import BASE_DIR
from aflow_site.supervision.troubles import PlatformTrouble

DIRECTORY = BASE_DIR / "benchmarks"


def names() -> list[str]:
    """Every module of `benchmarks` that is a benchmark: those with a `main`."""
    files = sorted(DIRECTORY.glob("[a-z]*.py"))
    return [file.stem for file in files if "\ndef main(" in file.read_text()]


class Command(PlatformCommand):
    help = "Runs a benchmark; without a name, tells which there are. What follows the name goes to it."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", nargs="?")
        parser.add_argument("arguments", nargs="...", help="for the benchmark; try --help")

    def run(self, options: dict[str, Any]) -> int:
        known = names()
        if options["name"] is None:
            self.voice.say("Benchmarks: " + (", ".join(known) or "none"))
            return 0
        if options["name"] not in known:
            raise PlatformTrouble(f"There is no benchmark {options['name']}: choose from {', '.join(known)}.")
        command = [sys.executable, "-m", f"benchmarks.{options['name']}", *options["arguments"]]
        # The environment carries the running platform's settings, as `manage.py` found them.
        return subprocess.run(command, cwd=BASE_DIR, env=dict(os.environ), check=False).returncode
