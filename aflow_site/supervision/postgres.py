"""A PostgreSQL server for the tests: one that is named, or a throw-away cluster on loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aflow_site.supervision.redis_server import LOOPBACK, free_port
from aflow_site.supervision.troubles import PlatformTrouble

START_SECONDS = 60.0
# The server refuses to run as root: then it runs as one of these.
OTHER_USERS = ("postgres", "nobody")


def binaries() -> Path | None:
    """Where `initdb` and `postgres` lie; the newest version wins."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    if versions:
        return versions[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in OTHER_USERS if name in known), None)


@contextmanager
def server() -> Iterator[str | None]:
    """The URL of a database to test on; None when no server is to be had."""
    named = os.environ.get("DATABASE_TEST_URL")
    if named:
        yield named
        return
    found = binaries()
    if found is None:
        yield None
        return
    directory = Path(tempfile.mkdtemp(prefix="aflow-postgres-"))
    try:
        with _cluster(found, directory) as url:
            yield url
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _cluster(found: Path, directory: Path) -> Iterator[str]:
    """No password, no sync to disk: it listens on loopback for the length of one suite."""
    user, data, port = _user(), directory / "data", free_port()
    if user is not None:
        shutil.chown(directory, user)
    made = subprocess.run(
        [
            found / "initdb",
            "-D",
            data,
            "-U",
            "aflow",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-sync",
        ],
        user=user,
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise PlatformTrouble(f"No PostgreSQL cluster could be made: {made.stderr.strip().splitlines()[-1]}")
    options = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")
    settings = [part for option in options for part in ("-c", option)]
    listen = ["-h", LOOPBACK, "-p", str(port), "-k", str(directory)]
    command = [str(found / "postgres"), "-D", str(data), *listen, *settings]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, user=user, cwd=directory, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait(found, port, process, directory)
            yield f"postgresql://aflow@{LOOPBACK}:{port}/postgres"
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(found: Path, port: int, process: subprocess.Popen[bytes], directory: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    ready = [str(found / "pg_isready"), "-q", "-h", LOOPBACK, "-p", str(port)]
    while subprocess.run(ready, check=False).returncode != 0:
        if process.poll() is not None or time.monotonic() > deadline:
            told = (directory / "log").read_text(errors="replace").strip().splitlines()
            raise PlatformTrouble(f"PostgreSQL did not start: {told[-1] if told else 'it said nothing'}")
        time.sleep(0.1)
