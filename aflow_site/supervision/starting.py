"""The steps from nothing to a platform that answers, each skipped when its result is there already.

Does not: parse options, stay in the foreground, or run examples.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from aflow_site.supervision import (
    environment,
    first_start,
    orphans,
    programs,
    redis_server,
    runtime_choice,
    supervisor_client,
    web_assets,
)
from aflow_site.supervision.api_client import readiness
from aflow_site.supervision.console import Voice
from aflow_site.supervision.layout import Layout
from aflow_site.supervision.troubles import PlatformTrouble
from pools.facade import api as pools

READY_SECONDS = 90.0
TOLERATED_RESTARTS = 3


@contextmanager
def only_start(layout: Layout) -> Iterator[None]:
    """Raises: PlatformTrouble while another start is at work on the same data directory."""
    with layout.lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise PlatformTrouble(
                f"Another ./aflow up is starting on {layout.data_dir}: wait for it, then see ./aflow status."
            ) from exc
        yield


def check_port(host: str, port: int) -> None:
    """Raises: PlatformTrouble when the site could not listen there."""
    if not 0 < port < 65536:
        raise PlatformTrouble(f"{port} is not a port: choose one from 1 to 65535 with --port N.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            raise PlatformTrouble(_port_problem(host, port, exc)) from exc


def _port_problem(host: str, port: int, cause: OSError) -> str:
    if cause.errno == errno.EADDRINUSE:
        holder = orphans.listener(port)
        by = f" by process {holder.pid} ({holder.name()})" if holder is not None else ""
        return f"Port {port} of {host} is taken{by}: stop that, or choose another with --port N."
    if cause.errno == errno.EACCES:
        return f"Port {port} needs more rights than you have: choose one above 1023 with --port N."
    return (
        f"The site cannot listen on {host} ({cause.strerror}): set AFLOW_HOST to an address of this machine."
    )


def check_redis() -> None:
    """An outside Redis must answer before anything starts. Raises: PlatformTrouble."""
    if environment.embedded_redis_port(os.environ) is not None:
        return
    problem = redis_server.problem(settings.REDIS_URL)
    if problem:
        raise PlatformTrouble(
            f"Redis at {environment.without_password(settings.REDIS_URL)} cannot be used ({problem}): "
            "mend REDIS_URL, start that server, or unset REDIS_URL to use the embedded one."
        )


def check_database() -> None:
    """Raises: PlatformTrouble when the database cannot be reached."""
    try:
        connection.ensure_connection()
    except OperationalError as exc:
        told = str(exc).strip().splitlines()
        raise PlatformTrouble(
            f"The database cannot be reached ({told[0] if told else 'no reason given'}): "
            "mend DATABASE_URL, start that server, or unset DATABASE_URL to use SQLite."
        ) from exc


def migrate() -> str:
    """Brings the database to this version; says what it did."""
    try:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if plan:
            call_command("migrate", interactive=False, verbosity=0)
    except OperationalError as exc:
        raise PlatformTrouble(
            f"The database cannot be migrated ({exc}): is its disk full, or its directory not writable?"
        ) from exc
    return f"{len(plan)} migrations applied" if plan else "up to date"


def wait_ready(layout: Layout, url: str, seconds: float = READY_SECONDS) -> None:
    """Returns when /readyz says so. Raises: PlatformTrouble when a process keeps dying, or time is up."""
    deadline = time.monotonic() + seconds
    while True:
        checks = readiness(url)
        bad = {name: value for name, value in checks.items() if value != "ok"}
        if not bad:
            return
        for process in supervisor_client.processes(layout):
            failing = process.state in ("backoff", "fatal") and process.restarts >= TOLERATED_RESTARTS
            if failing or (time.monotonic() > deadline and process.state != "running"):
                raise PlatformTrouble(f"{process.name} does not stay up: {_last_words(layout, process.name)}")
        if time.monotonic() > deadline:
            told = "; ".join(f"{name}: {value}" for name, value in bad.items())
            raise PlatformTrouble(
                f"The platform is not ready after {seconds:.0f} s ({told}): see {layout.logs}."
            )
        time.sleep(0.1)


def _last_words(layout: Layout, name: str) -> str:
    log = layout.logs / f"{name}.log"
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return f"{lines[-1] if lines else 'it said nothing'} (all of it: {log})"


class Start:
    """One start, step by step; `run` returns when /readyz answers."""

    def __init__(self, voice: Voice, layout: Layout, runtime_wish: str | None) -> None:
        self.voice = voice
        self.layout = layout
        self.runtime_wish = runtime_wish
        self.url: str = settings.AFLOW_URL
        self.login: first_start.Login | None = None

    def run(self) -> None:
        """Raises: PlatformTrouble; the caller then takes down what had started."""
        self._surroundings()
        self._web_assets()
        self._supervisor()
        self._database()
        self._agents()
        self._processes()

    def _surroundings(self) -> None:
        with self.voice.step("Surroundings") as step:
            leftover = orphans.end(orphans.find(settings.AFLOW_INSTANCE, self.layout.redis))
            if leftover:
                raise PlatformTrouble(
                    f"An earlier start left process {leftover[0].pid}, which cannot be ended: end it."
                )
            check_port(os.environ["AFLOW_HOST"], int(os.environ["AFLOW_PORT"]))
            check_redis()
            check_database()
            step.note(f"data in {self.layout.data_dir}")
        with self.voice.step("Agents run as") as step:
            step.note(runtime_choice.choose(self.runtime_wish))

    def _web_assets(self) -> None:
        with self.voice.step("Web assets") as step:
            built = web_assets.build(step.progress)
            step.progress("collecting")
            collected = web_assets.collect(self.layout)
            step.note("built" if built else "collected" if collected else "unchanged")

    def _supervisor(self) -> None:
        with self.voice.step("Redis") as step:
            environment.save(self.layout)
            self.programs = programs.programs(os.environ, self.layout)
            programs.write_configuration(self.programs, self.layout)
            supervisor_client.start(self.layout, settings.AFLOW_INSTANCE)
            port = environment.embedded_redis_port(os.environ)
            if port is not None:
                redis_server.wait(settings.REDIS_URL)
            step.note(f"embedded, port {port}" if port else environment.without_password(settings.REDIS_URL))

    def _database(self) -> None:
        with self.voice.step("Database") as step:
            step.note(f"{connection.vendor}, {migrate()}")
        with self.voice.step("Team, administrator, pool") as step:
            self.login = first_start.ensure(self.layout, self.url)
            step.note("made" if self.login.fresh else "there")

    def _agents(self) -> None:
        with self.voice.step(
            "Agent image" if settings.AFLOW_RUNTIME in runtime_choice.ON_DOCKER else "Agent program"
        ) as step:
            step.note(pools.prepare_runtime(report=step.progress))

    def _processes(self) -> None:
        with self.voice.step("Processes") as step:
            for program in self.programs:
                if not program.autostart:
                    supervisor_client.start_program(self.layout, program.name)
            step.note(", ".join(program.name for program in self.programs))
        with self.voice.step("Ready") as step:
            wait_ready(self.layout, self.url)
            step.note(self.url)
