"""`./aflow logs`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from aflow_site.supervision.command import PlatformCommand
from aflow_site.supervision.troubles import PlatformTrouble

LOOK_EVERY = 0.3


class Command(PlatformCommand):
    help = "What the processes said."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", nargs="?", help="a process (see ./aflow status); without it, all of them")
        parser.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
        parser.add_argument("-n", "--lines", type=int, default=40, metavar="N", help="of each (default: 40)")

    def run(self, options: dict[str, Any]) -> int:
        files = self._files(options["name"])
        several = len(files) > 1
        for file in files:
            for line in _last(file, options["lines"]):
                print(f"{file.stem:<12} {line}" if several else line)
        if options["follow"]:
            try:
                for file, line in _follow(files):
                    print(f"{file.stem:<12} {line}" if several else line, flush=True)
            except KeyboardInterrupt:
                return 0
        return 0

    def _files(self, name: str | None) -> list[Path]:
        found = sorted(self.layout.logs.glob("*.log"))
        if not found:
            raise PlatformTrouble(f"There are no logs in {self.layout.logs}: start with ./aflow up.")
        if name is None:
            return found
        chosen = [file for file in found if file.stem == name]
        if not chosen:
            raise PlatformTrouble(
                f"No process is named {name}: choose from {', '.join(file.stem for file in found)}."
            )
        return chosen


def _last(file: Path, count: int) -> list[str]:
    return file.read_text(errors="replace").splitlines()[-count:] if count > 0 else []


def _follow(files: list[Path]) -> Iterator[tuple[Path, str]]:
    """New lines as they come; a file that was rotated is read from its beginning."""
    read = {file: file.stat().st_size for file in files}
    while True:
        for file in files:
            size = file.stat().st_size if file.exists() else 0
            if size < read[file]:
                read[file] = 0
            if size > read[file]:
                with file.open(errors="replace") as stream:
                    stream.seek(read[file])
                    text = stream.read()
                    read[file] = stream.tell()
                for line in text.splitlines():
                    yield file, line
        time.sleep(LOOK_EVERY)
