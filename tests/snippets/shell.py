"""The `aflow` and `./aflow` of a page's own directory: `python shell.py VERB …`.

The client's verbs are the real ones, on the platform of the tests. Of the platform's own verbs those that
look are run there too; the others (which would start, end or test a platform) are given to their parser and
do nothing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LOOKING = ("status", "logs", "doctor", "simulate")
PARSED = ("up", "down", "test", "docs", "bench", "verify")


def main(arguments: list[str]) -> None:
    verb = arguments[0]
    if verb in PARSED:
        sys.path.insert(0, str(ROOT))
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aflow_site.settings.dev")
        import django

        django.setup()
        from handbook.reference.command_line import platform_parser

        platform_parser(verb).parse_args(arguments[1:])
    elif verb in LOOKING:
        os.execv(sys.executable, [sys.executable, str(ROOT / "manage.py"), *arguments])
    else:
        sys.path.insert(0, str(ROOT))
        from agentainer_flow.cli import main as client

        sys.exit(client(arguments))


if __name__ == "__main__":
    main(sys.argv[1:])
