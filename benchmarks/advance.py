"""What the engine itself spends on a step and on an item: processor time, database statements, transactions.

    ./aflow bench advance [--steps 200] [--items 10000] [--repeat N]

One driver in this process, over a SQLite database of its own in a temporary directory, with agents that
answer at once: what is left is planning, writing down and telling. A statement that writes many rows counts
as one statement; the rows are told apart.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks.platform import report

ROOT = Path(__file__).resolve().parent.parent
PASS = {"code": "def main(item): ..."}


def prepare(directory: str) -> None:
    """Django with an empty database in the directory."""
    sys.path.insert(0, str(ROOT))
    os.environ.update(
        DATABASE_URL=f"sqlite:///{directory}/db.sqlite3",
        AFLOW_DATA_DIR=directory,
        DJANGO_SETTINGS_MODULE="aflow_site.settings.prod",
        SECRET_KEY="benchmark",
    )
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


class Counted:
    """Statements on every connection of this process that is opened after this."""

    def __init__(self) -> None:
        from django.db.backends.signals import connection_created

        self.counts: Counter[str] = Counter()
        connection_created.connect(self._watch, weak=False)

    def _watch(self, connection: Any, **_: Any) -> None:
        connection.execute_wrappers.append(self._count)

    def _count(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.counts["statements"] += 1
        self.counts["rows"] += len(params) if many else 1
        self.counts["transactions"] += sql.startswith("BEGIN")
        return execute(sql, params, many, context)


async def drive(run_id: UUID) -> None:
    from tests.integration.workflows.harness import Harness

    harness = Harness(lambda value, _invocation: value)
    try:
        await harness.drive(run_id)
    finally:
        await harness.close()


def measure(what: str, count: int, repeat: int, counted: Counted, *steps: dict[str, Any]) -> None:
    from django.db import connection

    from tests.integration.workflows.harness import make_run
    from workflows.models import Run

    took, spent = [], Counter[str]()
    for _ in range(repeat):
        run_id = make_run(*steps)
        connection.close()
        counted.counts.clear()
        begun = time.process_time()
        asyncio.run(drive(run_id))
        took.append((time.process_time() - begun) * 1e6 / count)
        spent.update(counted.counts)
        if Run.objects.get(pk=run_id).state != "completed":
            raise RuntimeError("the run did not complete")
    each = {name: round(spent[name] / repeat / count, 4) for name in ("statements", "rows", "transactions")}
    report("advance", f"processor time for each {what}", took, "us", of=count, **each)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aflow-advance-") as directory:
        prepare(directory)
        counted = Counted()
        chain = [
            {"id": f"s{i}", "type": "task", "run": PASS, "needs": [f"s{i - 1}"] if i else []}
            for i in range(options.steps)
        ]
        measure("step of a chain", options.steps, options.repeat, counted, *chain)
        beside = [{**step, "needs": []} for step in chain]
        measure("step beside others", options.steps, options.repeat, counted, *beside)
        over = list(range(options.items))
        mapping = {"id": "m", "type": "map", "over": over, "run": PASS, "max_parallel": 5}
        measure("item of a map", options.items, options.repeat, counted, mapping)


if __name__ == "__main__":
    main()
