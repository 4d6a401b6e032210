"""The suites of `./aflow test`: what each runs, how long it may take, and what it needs.

Does not: run anything (see `test_run`).
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from aflow_site.supervision.layout import BASE_DIR

RESULTS = BASE_DIR / "test-results"
PYTHON = sys.executable
SCRIPTS = Path(PYTHON).parent
PROCESSES = 3


@dataclass(frozen=True, slots=True)
class Task:
    """One command of a suite. `report` is the JUnit file that it writes, if it counts tests."""

    title: str
    command: tuple[str, ...]
    directory: Path = BASE_DIR
    report: Path | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """`minutes` bounds the whole suite. `needs`: the pieces that may be missing on a machine. Suites of one
    `lane` that follow each other run at once: those of `static` have a processor each, those of `apart` wait
    half of the time, each in a network of its own."""

    name: str
    about: str
    minutes: float
    needs: tuple[str, ...] = ()
    frontend: bool = False
    lane: str = ""


SUITES = (
    Suite("lint", "formatting, lint, types, import contracts", 8, frontend=True, lane="static"),
    Suite("frontend", "unit tests of the browser's part", 6, frontend=True, lane="static"),
    Suite("python", "unit, property, contract and realtime tests", 9),
    Suite("integration", "real Redis, real database, real containers", 12, needs=("docker",), frontend=True),
    Suite(
        "chaos", "faults at random moments, on processes and containers", 18, needs=("docker",), lane="apart"
    ),
    Suite(
        "swarm",
        "three Docker hosts: killed, cut off and drained in the midst of a run",
        16,
        needs=("docker",),
        lane="apart",
    ),
    Suite("postgres", "the integration tests again, on PostgreSQL", 10, needs=("postgres",)),
    Suite("browser", "a person's way through the pages, in Chromium", 10, needs=("browser",), frontend=True),
)


def _pytest(title: str, name: str, *arguments: str) -> Task:
    report = RESULTS / f"{name}.xml"
    command = (PYTHON, "-m", "pytest", "-q", f"--junitxml={report}", *arguments)
    return Task(title, command, report=report)


def _side_by_side(title: str, name: str, *arguments: str) -> Task:
    """In a few processes, each with a Redis and a database of its own: most tests wait most of the time. A
    module's tests share its fixtures, and stay together; modules go in the order of `arguments`."""
    order = ("--dist", "loadscope", "--no-loadscope-reorder")
    return _pytest(title, name, "-n", str(PROCESSES), *order, *arguments)


def _apart(task: Task) -> Task:
    """In a network of its own, where Docker Engines can be started and stopped without harm to anybody."""
    command = (PYTHON, str(BASE_DIR / "tests" / "chaos" / "apart.py"), *task.command)
    return Task(task.title, command, report=task.report)


def _existing(*places: str) -> list[str]:
    return [place for place in places if any((BASE_DIR / place).rglob("test_*.py"))]


def _lint(npm: tuple[str, ...]) -> list[Task]:
    tasks = [
        Task("ruff check", (PYTHON, "-m", "ruff", "check", ".")),
        Task("ruff format", (PYTHON, "-m", "ruff", "format", "--check", ".")),
        Task("import contracts", (str(SCRIPTS / "lint-imports"),)),
        Task("mypy", (PYTHON, "-m", "mypy")),
        Task("frontend lint", (*npm, "run", "lint"), BASE_DIR / "frontend"),
        Task("generated types", (*npm, "run", "types", "--", "--check"), BASE_DIR / "frontend"),
    ]
    if shutil.which("shellcheck"):
        tasks.append(Task("shellcheck", ("shellcheck", "aflow", ".ci/run")))
    return tasks


def tasks_of(suite: Suite, npm: tuple[str, ...]) -> list[Task]:
    """The suite's commands. `npm`: the command that calls npm."""
    match suite.name:
        case "lint":
            return _lint(npm)
        case "python":
            # Those with the longest tests first, so that none is left alone at the end.
            places = _existing("tests/property", "tests/contract", "tests/realtime", "tests/unit")
            return [_side_by_side("pytest", "python", "-m", "not swarm", *places)]
        case "integration":
            return [_side_by_side("pytest", "integration", *_existing("tests/integration"))]
        case "chaos":
            return [_apart(_pytest("pytest", "chaos", "-s", "tests/chaos"))]
        case "swarm":
            return [_apart(_pytest("pytest", "swarm", "-m", "swarm", "tests/contract/pools", "tests/swarm"))]
        case "postgres":
            return [_side_by_side("pytest", "postgres", "-m", "database", "tests/integration")]
        case "browser":
            return [_pytest("pytest", "browser", "tests/e2e")]
    report = RESULTS / "frontend.xml"
    vitest = (
        *npm,
        "run",
        "test",
        "--",
        "--reporter=default",
        "--reporter=junit",
        f"--outputFile.junit={report}",
    )
    return [Task("vitest", vitest, BASE_DIR / "frontend", report)]
