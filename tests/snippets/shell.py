"""The `aflow` and `./aflow` of a page's own directory.

The client's verbs are the real ones, on the platform of the tests. Of the platform's own verbs those that
look are run there too; the others (which would start, end or test a platform) are noted down, given to their
parser afterwards, and do nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from django.core.management.base import CommandError

from handbook.reference.command_line import platform_parser

ROOT = Path(__file__).resolve().parent.parent.parent
LOOKING = ("status", "logs", "doctor", "simulate")
PARSED = ("up", "down", "test", "docs", "bench", "verify")
_NOTES = ".noted"
_END = "\0\n"
_LAUNCHER = f"""#!/bin/sh
case $1 in
{"|".join(PARSED)})
    printf '%s\\0' "$@" >> {_NOTES}
    echo >> {_NOTES}
    ;;
{"|".join(LOOKING)})
    exec "{sys.executable}" "{ROOT}/manage.py" "$@"
    ;;
*)
    exec "{sys.executable}" -m agentainer_flow.cli "$@"
    ;;
esac
"""


def install(directory: Path) -> None:
    launcher = directory / "aflow"
    launcher.write_text(_LAUNCHER)
    launcher.chmod(0o755)


def check_noted(directory: Path, where: str) -> None:
    """Raises AssertionError for a verb of the platform that its parser does not understand."""
    notes = directory / _NOTES
    if not notes.exists():
        return
    for line in notes.read_text().split(_END)[:-1]:
        verb, *arguments = line.split("\0")
        try:
            platform_parser(verb).parse_args(arguments)
        except (CommandError, SystemExit) as exc:
            raise AssertionError(f"{where}: ./aflow {verb} does not understand {arguments}: {exc}") from exc
    notes.unlink()
