"""What the processes without pages leave out: it would cost each of them twenty megabytes."""

from __future__ import annotations

import json
import subprocess
import sys

FOR_PAGES = {"unfold.admin", "rest_framework.views", "drf_spectacular.plumbing", "psycopg"}
CODE = """
import json, sys
import django
django.setup()
import {modules}
print(json.dumps(sorted(sys.modules)))
"""


def loaded(modules: str) -> set[str]:
    code = CODE.format(modules=modules)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_executors_load_nothing_of_pages() -> None:
    found = loaded("teams.tasks, scaling.tasks, workflows.tasks")
    assert "workflows.engine.host" in found
    assert sorted(found & FOR_PAGES) == []


def test_the_controller_loads_nothing_of_pages() -> None:
    found = loaded("aflow_site.management.commands.controller")
    assert "pools.services.controller.controller" in found
    assert sorted(found & FOR_PAGES) == []


def test_the_web_process_loads_them() -> None:
    assert loaded("aflow_site.urls") >= FOR_PAGES
