"""Builds the browser's part when its sources changed, and collects what the web process serves."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aflow_site.supervision import node
from aflow_site.supervision.layout import BASE_DIR, Layout
from aflow_site.supervision.troubles import PlatformTrouble

FRONTEND = BASE_DIR / "frontend"
DIST = FRONTEND / "dist"
BUILT = DIST / ".built-from"
INSTALLED = FRONTEND / "node_modules" / ".installed-from"
MADE = {"node_modules", "dist", "coverage", "test-results", "playwright-report"}
BUILD_SECONDS = 900


def source_files() -> Iterator[Path]:
    """Everything that people wrote below `frontend`, in a fixed order."""
    for path in sorted(FRONTEND.iterdir()):
        if path.name in MADE:
            continue
        if path.is_file():
            yield path
        else:
            yield from (file for file in sorted(path.rglob("*")) if file.is_file())


def digest(files: Iterator[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.relative_to(FRONTEND)}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _is(stamp: Path, value: str) -> bool:
    return stamp.exists() and stamp.read_text().strip() == value


def wanted() -> str:
    return digest(source_files())


def are_current() -> bool:
    return _is(BUILT, wanted())


@contextmanager
def _alone() -> Iterator[None]:
    """Two starts in one checkout never build at once."""
    with (FRONTEND / "package.json").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def ensure_packages(report: Callable[[str], None]) -> node.Node:
    """The packages of the browser's part, as locked. Raises: PlatformTrouble."""
    found = node.find()
    if found is None:
        report("installing Node from its wheel, once")
        found = node.install()
    lock = hashlib.sha256((FRONTEND / "package-lock.json").read_bytes()).hexdigest()
    if not _is(INSTALLED, lock):
        report(f"installing packages with Node {found.version} {found.source}")
        run_npm(found, "ci", "--no-audit", "--no-fund")
        INSTALLED.parent.mkdir(exist_ok=True)
        INSTALLED.write_text(lock)
    return found


def build(report: Callable[[str], None]) -> bool:
    """Builds when needed; True when it built. Raises: PlatformTrouble when npm fails."""
    if are_current():
        return False
    with _alone():
        source = wanted()
        if _is(BUILT, source):
            return False
        found = ensure_packages(report)
        report("building")
        run_npm(found, "run", "build")
        BUILT.write_text(source)
    return True


def run_npm(found: node.Node, *arguments: str) -> None:
    try:
        done = subprocess.run(
            [*found.npm, *arguments],
            cwd=FRONTEND,
            env=found.environment(),
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise PlatformTrouble(
            f"`npm {' '.join(arguments)}` did not end in {BUILD_SECONDS // 60} minutes: "
            "check the network and try again."
        ) from exc
    if done.returncode != 0:
        told = (done.stdout + done.stderr).strip().splitlines()[-15:]
        raise PlatformTrouble(
            "\n".join(told) + f"\n`npm {' '.join(arguments)}` failed in {FRONTEND}: mend what it says above "
            "(a network failure: check the network, or npm's registry setting) and try again."
        )


def collect(layout: Layout) -> bool:
    """Copies what the web process serves into the data directory when it changed; True when it did.

    A process of its own: settings look for the built assets once, when they are loaded.
    """
    import django

    stamp = layout.data_dir / "static-from"
    built = BUILT.read_text().strip() if BUILT.exists() else ""
    value = f"{django.get_version()} {built}"
    if _is(stamp, value) and (layout.data_dir / "static").is_dir():
        return False
    done = subprocess.run(
        [
            sys.executable,
            str(BASE_DIR / "manage.py"),
            "collectstatic",
            "--noinput",
            "--clear",
            "--verbosity",
            "0",
        ],
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise PlatformTrouble(
            f"The web assets could not be collected: {done.stderr.strip().splitlines()[-1]}"
        )
    stamp.write_text(value)
    return True
