#!/usr/bin/env python
"""Django's command line for this project; people use `./aflow`, which calls it."""

import os
import sys


def main() -> None:
    from environs import EnvError

    from aflow_site.supervision.environment import prepare
    from aflow_site.supervision.troubles import PlatformTrouble

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aflow_site.settings.prod")
    try:
        prepare(sys.argv)
    except PlatformTrouble as exc:
        sys.exit(exc.detail)
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except EnvError as exc:
        sys.exit(f"{exc} Mend it or unset it: docs/reference/settings.md lists the settings.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # before a command has begun, which would tell what it leaves
        sys.exit(130)
