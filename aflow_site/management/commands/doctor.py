"""`./aflow doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser
from rich.markup import escape

from aflow_site.supervision import checks
from aflow_site.supervision.command import PlatformCommand


class Command(PlatformCommand):
    help = "Checks each thing the platform needs, and says how to mend it. Exit code 1 when it could not run."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--json", action="store_true", help="for programs")

    def run(self, options: dict[str, Any]) -> int:
        findings = checks.all_findings(self.layout)
        sound = all(finding.ok for finding in findings if finding.needed)
        if options["json"]:
            print(json.dumps({"ok": sound, "checks": [asdict(finding) for finding in findings]}, indent=2))
            return 0 if sound else 1
        for finding in findings:
            self._show(finding)
        self.voice.say("\n" + ("All that is needed is there." if sound else "Mend what is marked ✗ first."))
        return 0 if sound else 1

    def _show(self, finding: checks.Finding) -> None:
        mark = (
            "[green]✓[/green]" if finding.ok else "[red]✗[/red]" if finding.needed else "[yellow]-[/yellow]"
        )
        self.voice.console.print(f"  {mark} {escape(finding.name):<20} {escape(finding.found)}")
        if not finding.ok:
            optional = "" if finding.needed else " (The platform runs without it.)"
            self.voice.say(f"      {finding.mend}{optional}")
