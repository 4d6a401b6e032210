"""`./aflow verify`."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from rich.markup import escape
from rich.table import Table

from aflow_site.supervision import examples, runtime_choice, supervisor_client, verification
from aflow_site.supervision.api_client import ApiClient
from aflow_site.supervision.command import PlatformCommand
from aflow_site.supervision.troubles import PlatformTrouble


class Command(PlatformCommand):
    help = (
        "Runs an example on the platform and as a plain script in the same image. Exit code 1 if they differ."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", choices=verification.names(), metavar="NAME", help="such as code-census")

    def run(self, options: dict[str, Any]) -> int:
        if not supervisor_client.answers(self.layout):
            raise PlatformTrouble("The platform is not running: start it with ./aflow up.")
        name = options["name"]
        api = ApiClient.of(self.layout, settings.AFLOW_URL)
        try:
            with self.voice.step(f"{name} on the platform") as step:
                run = examples.run_to_completion(api, name)
                step.note(f"run {run['id']}")
        finally:
            api.close()
        with self.voice.step(f"{name} as a plain script") as step:
            plain = verification.plain(name, settings.AFLOW_RUNTIME)
            in_image = settings.AFLOW_RUNTIME in runtime_choice.ON_DOCKER
            step.note("in the agents' image" if in_image else "on this machine")
        differing = verification.differences(run["output"], plain)
        self._show(run["output"], plain, differing)
        if differing:
            self.voice.complain(f"They differ in {', '.join(differing)}.")
            return 1
        self.voice.say("\nEvery number is the same.")
        return 0

    def _show(self, platform: dict[str, Any], plain: dict[str, Any], differing: list[str]) -> None:
        table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False)
        for column in ("", "platform", "plain script", ""):
            table.add_column(column)
        for name in plain:
            mark = "[red]differs[/red]" if name in differing else "[green]same[/green]"
            table.add_row(name.replace("_", " "), _short(platform.get(name)), _short(plain[name]), mark)
        self.voice.say()
        self.voice.console.print(table)


def _short(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} rows"
    return escape(str(value))
