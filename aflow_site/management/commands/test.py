"""`./aflow test`."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import CommandParser

from aflow_site.supervision.command import PlatformCommand
from aflow_site.supervision.suites import SUITES
from aflow_site.supervision.test_run import PIECES, TestRun


class Command(PlatformCommand):
    help = "Sets up what the tests need and runs all of them: Python, front end, browser, containers."

    def add_arguments(self, parser: CommandParser) -> None:
        names = [suite.name for suite in SUITES]
        parser.add_argument(
            "--only", nargs="+", choices=names, default=[], metavar="SUITE", help=", ".join(names)
        )
        parser.add_argument(
            "--require",
            metavar="PIECES",
            default=os.environ.get("AFLOW_TEST_REQUIRE", ""),
            help=f"of {','.join(PIECES)}: those whose absence is a failure (default: $AFLOW_TEST_REQUIRE)",
        )

    def run(self, options: dict[str, Any]) -> int:
        required = {name.strip() for name in options["require"].split(",") if name.strip()}
        return TestRun(self.voice, options["only"], required).run()
