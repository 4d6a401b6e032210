"""Runs the suites one after the other, those of a lane at once, goes on after a failure, and adds up.

A piece that is missing (Docker, a browser, PostgreSQL) is said plainly; a required one fails its suite.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TextIO

from rich.markup import escape
from rich.table import Table

from aflow_site.supervision import postgres, runtime_choice, web_assets
from aflow_site.supervision.console import Voice
from aflow_site.supervision.node import Node
from aflow_site.supervision.suites import RESULTS, SUITES, Suite, Task, tasks_of
from aflow_site.supervision.troubles import PlatformTrouble

PIECES = ("docker", "browser", "postgres")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(slots=True)
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Tally) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


@dataclass(slots=True)
class Outcome:
    suite: Suite
    tally: Tally = field(default_factory=Tally)
    troubles: list[str] = field(default_factory=list)
    seconds: float = 0.0
    ran: bool = True

    @property
    def ok(self) -> bool:
        return not self.troubles and not self.tally.failed


def read_report(path: Path) -> Tally:
    """Counts a JUnit file of pytest or vitest; a test with several faults counts once."""
    tally = Tally()
    for case in ElementTree.parse(path).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            tally.failed += 1
        elif case.find("skipped") is not None:
            tally.skipped += 1
        else:
            tally.passed += 1
    return tally


def missing_pieces() -> dict[str, str]:
    """Each piece that this machine lacks, with a few words on how to get it."""
    found: dict[str, str] = {}
    problem = runtime_choice.docker_problem()
    if problem:
        found["docker"] = problem
    if not os.environ.get("AFLOW_TEST_BROWSER") and not any(map(shutil.which, BROWSERS)):
        found["browser"] = "No Chromium is installed (Debian: sudo apt-get install chromium)."
    if not os.environ.get("DATABASE_TEST_URL") and postgres.binaries() is None:
        found["postgres"] = (
            "No PostgreSQL server is there (Debian: sudo apt-get install postgresql; or DATABASE_TEST_URL)."
        )
    return found


class TestRun:
    """`only`: names of suites, or empty for all. `required`: pieces whose absence is a failure."""

    __test__ = False  # not one of pytest's

    def __init__(self, voice: Voice, only: list[str], required: set[str]) -> None:
        unknown = required - set(PIECES)
        if unknown:
            raise PlatformTrouble(
                f"--require knows {', '.join(PIECES)}, and not {', '.join(sorted(unknown))}."
            )
        self.voice = voice
        self.suites = [suite for suite in SUITES if not only or suite.name in only]
        self.required = required
        self.missing: dict[str, str] = {}
        self.node: Node | None = None
        self._interrupted = threading.Event()
        self.assets_problem: str | None = None

    def run(self) -> int:
        """Returns the exit code."""
        shutil.rmtree(RESULTS, ignore_errors=True)
        RESULTS.mkdir(parents=True)
        self._prepare()
        outcomes: list[Outcome] = []
        for _, suites in groupby(self.suites, lambda suite: suite.lane or suite.name):
            outcomes += self._at_once(list(suites))
        self._summary(outcomes)
        return 0 if all(outcome.ok for outcome in outcomes) else 1

    def _prepare(self) -> None:
        self.voice.heading("Preparing")
        self.missing = missing_pieces()
        for name, told in self.missing.items():
            verdict = "required here" if name in self.required else "its tests are left out"
            self.voice.say(f"  ! {name} is missing, {verdict}: {told}")
        if not any(suite.frontend for suite in self.suites):
            return
        try:
            with self.voice.step("Web assets") as step:
                self.node = web_assets.ensure_packages(step.progress)
                step.note("built" if web_assets.build(step.progress) else "unchanged")
        except PlatformTrouble as exc:
            self.assets_problem = exc.detail
            self.voice.complain(exc.detail)

    def _at_once(self, suites: list[Suite]) -> list[Outcome]:
        """What the first one says is heard as it says it; what the others say, when they have ended."""
        with ThreadPoolExecutor(len(suites)) as threads:
            others = [threads.submit(self._aside, suite) for suite in suites[1:]]
            try:
                outcomes = [self._suite(suites[0], self.voice, None)]
                for suite, other in zip(suites[1:], others, strict=True):
                    outcomes.append(other.result())
                    self.voice.console.file.write(_log_of(suite).read_text())
            except BaseException:
                self._interrupted.set()
                raise
        return outcomes

    def _aside(self, suite: Suite) -> Outcome:
        with _log_of(suite).open("w", buffering=1) as log:
            return self._suite(suite, Voice(log), log)

    def _suite(self, suite: Suite, voice: Voice, output: TextIO | None) -> Outcome:
        """`output`: where what its commands print goes; None: to the terminal."""
        voice.heading(f"{suite.name}: {suite.about} (at most {suite.minutes:g} min)")
        outcome = Outcome(suite)
        lacking = [name for name in suite.needs if name in self.missing]
        for name in lacking:
            if name in self.required:
                outcome.troubles.append(f"{name} is required, and missing")
        if suite.name in lacking and not outcome.troubles:
            outcome.ran = False  # all of it stands on this piece
        elif suite.frontend and self.assets_problem is not None:
            outcome.troubles.append("the web assets could not be built")
        started = time.monotonic()
        if outcome.ran and not outcome.troubles:
            self._tasks(outcome, started + suite.minutes * 60, voice, output)
        outcome.seconds = time.monotonic() - started
        if not outcome.ran:
            voice.say(f"  left out: {self.missing[suite.name]}")
        for trouble in outcome.troubles:
            voice.complain(f"  ✗ {suite.name}: {trouble}")
        return outcome

    def _tasks(self, outcome: Outcome, deadline: float, voice: Voice, output: TextIO | None) -> None:
        npm = self.node.npm if self.node is not None else ("npm",)
        environment = self.node.environment() if self.node is not None else dict(os.environ)
        environment["AFLOW_TEST_REQUIRE"] = ",".join(sorted(self.required))
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        for name in [name for name in environment if name.startswith(("AFLOW_DATA_DIR", "AFLOW_INSTANCE"))]:
            del environment[name]
        with ExitStack() as stack:
            if outcome.suite.name == "postgres":
                url = stack.enter_context(postgres.server())
                environment["DATABASE_URL"] = url or ""
            for task in tasks_of(outcome.suite, npm):
                started = time.monotonic()
                code = run_bounded(
                    task, environment, deadline - started, output=output, interrupted=self._interrupted
                )
                mark = "[green]✓[/green]" if code == 0 else "[red]✗[/red]"
                seconds = time.monotonic() - started
                voice.console.print(f"  {mark} {escape(task.title)} [dim]{seconds:.1f} s[/dim]")
                self._note(task, code, outcome)

    def _note(self, task: Task, code: int | None, outcome: Outcome) -> None:
        if task.report is not None and task.report.exists():
            outcome.tally.add(read_report(task.report))
        if code is None:
            outcome.troubles.append(
                f"{task.title} did not end within the suite's {outcome.suite.minutes:g} minutes"
            )
        elif code != 0 and not outcome.tally.failed:
            outcome.troubles.append(f"{task.title} ended with exit code {code}")

    def _summary(self, outcomes: list[Outcome]) -> None:
        table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False)
        table.add_column("suite")
        for column in ("passed", "failed", "skipped", "time"):
            table.add_column(column, justify="right")
        table.add_column("")
        total = Tally()
        for outcome in outcomes:
            total.add(outcome.tally)
            # A failure without a failing test (a linter, a time-out, a missing piece) counts as one.
            total.failed += len(outcome.troubles)
            tally = outcome.tally
            verdict = "left out" if not outcome.ran else "ok" if outcome.ok else "failed"
            figures = (tally.passed, tally.failed, tally.skipped)
            table.add_row(outcome.suite.name, *map(str, figures), _clock(outcome.seconds), verdict)
        self.voice.heading("Summary")
        self.voice.console.print(table)
        self.voice.say(f"\n{total.passed} passed, {total.failed} failed")


def run_bounded(
    task: Task,
    environment: dict[str, str],
    seconds: float,
    *,
    output: TextIO | None = None,
    interrupted: threading.Event | None = None,
) -> int | None:
    """The exit code, or None when it had to be ended, by time or because it is `interrupted`: with everything
    in its process group."""
    process = subprocess.Popen(
        task.command,
        cwd=task.directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        start_new_session=True,
    )
    until = time.monotonic() + max(seconds, 1.0)
    try:
        while time.monotonic() < until and not (interrupted is not None and interrupted.is_set()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=0.5)
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=15)
        raise
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return None


def _log_of(suite: Suite) -> Path:
    return RESULTS / f"{suite.name}.log"


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
