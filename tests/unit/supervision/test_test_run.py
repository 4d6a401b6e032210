"""How suites are added up."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from aflow_site.supervision import test_run
from aflow_site.supervision.console import Voice
from aflow_site.supervision.suites import SUITES, Suite, Task, tasks_of
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


def test_suites_of_a_lane_run_at_once_and_are_heard_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each waits until the other has begun, which ends only when they run at once."""
    code = (
        "import pathlib, sys, time\n"
        "mine, other = map(pathlib.Path, sys.argv[1:])\n"
        "mine.touch()\n"
        "while not other.exists(): time.sleep(0.02)\n"
        "print('ran', mine.name, flush=True)\n"
    )

    def tasks(suite: Suite, _npm: tuple[str, ...]) -> list[Task]:
        other = {"one": "two", "two": "one", "three": "one"}[suite.name]
        places = (str(tmp_path / suite.name), str(tmp_path / other))
        return [Task("wait", (sys.executable, "-c", code, *places))]

    lanes = [Suite("one", "", 1, lane="x"), Suite("two", "", 1, lane="x"), Suite("three", "", 1)]
    monkeypatch.setattr(test_run, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(test_run, "SUITES", tuple(lanes))
    monkeypatch.setattr(test_run, "tasks_of", tasks)
    monkeypatch.setattr(test_run, "missing_pieces", dict)
    assert TestRun(Voice(), [], set()).run() == 0
    heard = capfd.readouterr().out
    assert [heard.count(f"ran {name}") for name in ("one", "two", "three")] == [1, 1, 1]
    assert heard.index("ran one") < heard.index("ran two") < heard.index("ran three")


def test_a_task_that_is_interrupted_is_ended() -> None:
    interrupted = threading.Event()
    interrupted.set()
    task = Task("t", (sys.executable, "-c", "import time; time.sleep(600)"))
    assert run_bounded(task, dict(os.environ), 600, interrupted=interrupted) is None


def test_every_suite_has_tasks_and_minutes() -> None:
    for suite in SUITES:
        assert tasks_of(suite, ("npm",))
        assert suite.minutes > 0
    assert len({suite.name for suite in SUITES}) == len(SUITES)


def test_an_unknown_piece_cannot_be_required() -> None:
    with pytest.raises(PlatformTrouble, match="docker, browser, postgres"):
        TestRun(Voice(), [], {"kubernetes"})
