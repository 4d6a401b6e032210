"""`./aflow status`."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser
from rich.markup import escape
from rich.table import Table

from aflow_site.supervision import environment, supervisor_client
from aflow_site.supervision.command import PlatformCommand

NOT_RUNNING = 3  # as service managers have it


class Command(PlatformCommand):
    help = f"What runs, and where. Exit code {NOT_RUNNING} when nothing does."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--json", action="store_true", help="for programs")

    def run(self, options: dict[str, Any]) -> int:
        processes = supervisor_client.processes(self.layout)
        env = os.environ
        told = {
            "url": env.get("AFLOW_URL"),
            "runtime": env.get("AFLOW_RUNTIME"),
            "database": environment.shown_database(env, self.layout),
            "redis": environment.without_password(env.get("REDIS_URL", "")) or None,
            "processes": [asdict(process) for process in processes],
        }
        if options["json"]:
            print(json.dumps(told, indent=2))
        elif not processes:
            self.voice.say(f"Nothing is running in {self.layout.data_dir}; ./aflow up starts it.")
        else:
            self._show(told)
        return 0 if processes else NOT_RUNNING

    def _show(self, told: dict[str, Any]) -> None:
        for name in ("url", "runtime", "database", "redis"):
            self.voice.say(f"{name:<10}{told[name]}")
        table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False)
        table.add_column("process")
        table.add_column("pid", justify="right")
        table.add_column("state")
        table.add_column("restarts", justify="right")
        for process in told["processes"]:
            pid = str(process["pid"] or "")
            table.add_row(escape(process["name"]), pid, process["state"], str(process["restarts"]))
        self.voice.say()
        self.voice.console.print(table)
