"""`python -m handbook`: builds the site; `./aflow docs` calls it."""

from __future__ import annotations

import os
import sys

import django


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aflow_site.settings.dev")
    django.setup()
    from handbook.building import SITE, BuildFailed, build  # which reads models

    try:
        build()
    except BuildFailed as exc:
        print(exc, file=sys.stderr)
        return 1
    print(f"The site is in {SITE}: open its index.html, or /docs/ of a running platform.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
