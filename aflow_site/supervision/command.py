"""The base of the platform's commands: its own options alone, and troubles as one sentence."""

from __future__ import annotations

import argparse
import errno
import logging
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from aflow_site.kernel.errors import FlowError
from aflow_site.supervision.console import Voice
from aflow_site.supervision.environment import add_data_dir_argument, current_layout
from aflow_site.supervision.layout import Layout


class PlatformCommand(BaseCommand):
    """Subclasses give `run`, which returns the exit code."""

    requires_system_checks = []
    suppressed_base_arguments = {
        "--version",
        "--verbosity",
        "--settings",
        "--pythonpath",
        "--traceback",
        "--no-color",
        "--force-color",
        "--skip-checks",
    }
    voice: Voice
    layout: Layout

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        return super().create_parser("./aflow", subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        add_data_dir_argument(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        logging.getLogger().setLevel(logging.WARNING)  # the steps say what happens; the rest is for logs
        self.voice = Voice()
        self.layout = current_layout()
        try:
            code = self.run(options)
        except FlowError as exc:
            self.voice.complain(exc.detail)
            code = 1
        except OSError as exc:
            if exc.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise
            where = exc.filename or self.layout.data_dir
            self.voice.complain(f"{where} cannot be written ({exc.strerror}): free some space and try again.")
            code = 1
        if code:
            sys.exit(code)

    def run(self, options: dict[str, Any]) -> int:
        raise AssertionError("a platform command defines `run`")
