"""How suites are added up."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from aflow_site.supervision.console import Voice
from aflow_site.supervision.suites import SUITES, Task, tasks_of
from aflow_site.supervision.test_run import TestRun, read_report, run_bounded
from aflow_site.supervision.troubles import PlatformTrouble

REPORT = """<testsuites><testsuite>
<testcase name="good"/>
<testcase name="left out"><skipped/></testcase>
<testcase name="bad"><failure/><error/></testcase>
<testcase name="worse"><error/></testcase>
</testsuite></testsuites>"""


def test_a_report_is_counted_test_by_test(tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(REPORT)
    tally = read_report(tmp_path / "report.xml")
    assert (tally.passed, tally.failed, tally.skipped) == (1, 2, 1)


def test_a_task_gives_its_exit_code() -> None:
    assert run_bounded(Task("t", (sys.executable, "-c", "raise SystemExit(3)")), dict(os.environ), 20) == 3


def test_a_task_that_does_not_end_is_ended_with_its_children() -> None:
    started = time.monotonic()
    sleeping = "import subprocess; subprocess.run(['sleep', '60'])"
    assert run_bounded(Task("t", (sys.executable, "-c", sleeping)), dict(os.environ), 1) is None
    assert time.monotonic() - started < 20


def test_every_suite_has_tasks_and_minutes() -> None:
    for suite in SUITES:
        assert tasks_of(suite, ("npm",))
        assert suite.minutes > 0
    # .ci/run has twenty minutes, its packages included; suites that break their bound are ended.
    assert len({suite.name for suite in SUITES}) == len(SUITES)


def test_an_unknown_piece_cannot_be_required() -> None:
    with pytest.raises(PlatformTrouble, match="docker, browser, postgres"):
        TestRun(Voice(), [], {"kubernetes"})
