"""Installs the example workflows through the API, and runs the first one on real input."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import yaml
from rich.markup import escape
from rich.table import Table

from aflow_site.supervision.api_client import ApiClient
from aflow_site.supervision.console import Voice
from aflow_site.supervision.layout import BASE_DIR, Layout
from aflow_site.supervision.troubles import PlatformTrouble

DIRECTORY = BASE_DIR / "examples"
FIRST = "code-census"
RUN_SECONDS = 300.0


def install(api: ApiClient, layout: Layout) -> str:
    """Every `examples/*.yaml` whose text is not the one installed last; says what it did.

    A workflow that people changed since stays theirs until the example itself changes.
    """
    known: dict[str, str] = {}
    if layout.examples.exists():
        known = json.loads(layout.examples.read_text())
    done: list[str] = []
    for file in sorted(DIRECTORY.glob("*.yaml")):
        text = file.read_text()
        digest = hashlib.sha256(text.encode()).hexdigest()
        name = yaml.safe_load(text)["name"]
        if known.get(name) != digest:
            done.append(f"{name} {api.put_workflow(name, text)}")
            known[name] = digest
    layout.examples.write_text(json.dumps(known, indent=2) + "\n")
    return ", ".join(done) or "unchanged"


def run_to_completion(api: ApiClient, name: str) -> dict[str, Any]:
    """Runs an example and returns the run. Raises: PlatformTrouble when it does not complete."""
    run = api.run(name, {}, timeout=RUN_SECONDS)
    if run["state"] != "completed":
        error = run.get("error") or {}
        raise PlatformTrouble(
            f"The example {name} ended {run['state']}: {error.get('message', 'no reason given')}"
        )
    return run


def show(voice: Voice, run: dict[str, Any]) -> None:
    """The report of the run's output: figures first, then its lists as tables, then what the pool did."""
    output = run["output"]
    voice.heading(f"{run['workflow']}: the result")
    for name, value in output.items():
        if not isinstance(value, list | dict):
            voice.say(f"  {_words(name):<32} {_figure(value)}")
    for name, value in output.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            voice.console.print(_table(_words(name), value))
    stats = run.get("stats") or {}
    p50, p99 = _milliseconds(stats.get("lease_p50_ms")), _milliseconds(stats.get("lease_p99_ms"))
    voice.say(
        f"  {stats.get('agents', 0)} warm agents served {stats.get('leases', 0)} leases"
        f" (lease p50 {p50}, p99 {p99})"
        f" in {(run.get('duration_ms') or 0) / 1000:.1f} s"
    )


def _table(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=escape(title), title_justify="left", title_style="bold", box=None, padding=(0, 2))
    for column, value in rows[0].items():
        table.add_column(_words(column), justify="right" if isinstance(value, int | float) else "left")
    for row in rows:
        table.add_row(*(escape(_figure(value)) for value in row.values()))
    return table


def _words(name: str) -> str:
    return name.replace("_", " ")


def _figure(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return f"{value:,}" if isinstance(value, int) else str(value)


def _milliseconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f} ms"
