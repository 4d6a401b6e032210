"""The processes of a platform, and the supervisor's configuration that describes them."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from daphne.endpoints import build_endpoint_description_strings

from aflow_site.supervision import redis_server
from aflow_site.supervision.environment import embedded_redis_port
from aflow_site.supervision.layout import BASE_DIR, Layout, write_private

# Connections that wait until the web process takes them. Beyond them the kernel lets callers try again, and
# resets some; Twisted's own 50 are fewer than a herd of programs. The kernel's `somaxconn` is the most.
BACKLOG = 4096


@dataclass(frozen=True, slots=True)
class Program:
    """`priority`: lower starts first and stops last. `stop_seconds`: patience between SIGTERM and SIGKILL."""

    name: str
    command: tuple[str, ...]
    priority: int
    stop_seconds: int = 15
    autostart: bool = False


def programs(env: Mapping[str, str], layout: Layout) -> list[Program]:
    """Redis starts with the supervisor; the others wait until `up` has migrated the database."""
    python = sys.executable
    found: list[Program] = []
    port = embedded_redis_port(env)
    if port is not None:
        conf = redis_server.write_configuration(layout, port)
        found.append(Program("redis", (str(redis_server.binary()), str(conf)), priority=10, autostart=True))
    (address,) = build_endpoint_description_strings(env["AFLOW_HOST"], env["AFLOW_PORT"])
    web = (
        python,
        "-m",
        "daphne",
        "-v",
        "0",
        "--no-server-name",
        "-e",
        f"{address}:backlog={BACKLOG}",
    )
    found.append(Program("web", (*web, "aflow_site.asgi:application"), priority=20, stop_seconds=8))
    for number in range(int(env.get("AFLOW_EXECUTORS", "2"))):
        worker = (
            python,
            "-m",
            "celery",
            "-A",
            "aflow_site",
            "--skip-checks",
            "worker",
            "--pool=solo",
            "--without-gossip",
        )
        quiet = ("--without-mingle", "--without-heartbeat", "--loglevel=INFO", "-n", f"executor-{number}@%h")
        found.append(Program(f"executor-{number}", (*worker, *quiet), priority=30, stop_seconds=20))
    controller = (python, str(BASE_DIR / "manage.py"), "controller")
    found.append(Program("controller", controller, priority=40))
    return found


def _escaped(text: str | Path) -> str:
    return str(text).replace("%", "%%")


def _program_section(program: Program, layout: Layout) -> str:
    return "\n".join(
        [
            f"[program:{program.name}]",
            f"command={_escaped(shlex.join(program.command))}",
            f"directory={_escaped(BASE_DIR)}",
            f"priority={program.priority}",
            f"autostart={'true' if program.autostart else 'false'}",
            "autorestart=true",
            "startsecs=1",
            # Keeps trying, a second later each time: what it needs (a database, Redis) may come back.
            "startretries=100000",
            "stopasgroup=true",
            "killasgroup=true",
            f"stopwaitsecs={program.stop_seconds}",
            "redirect_stderr=true",
            f"stdout_logfile={_escaped(layout.logs / program.name)}.log",
            "stdout_logfile_maxbytes=10MB",
            "stdout_logfile_backups=3",
        ]
    )


def write_configuration(found: list[Program], layout: Layout) -> None:
    sections = [
        "\n".join(
            [
                "[supervisord]",
                "nodaemon=true",
                "identifier=aflow",
                # Said only because the supervisor would warn about it otherwise.
                *(["user=root"] if os.geteuid() == 0 else []),
                f"directory={_escaped(BASE_DIR)}",
                f"logfile={_escaped(layout.supervisor_log)}",
                "logfile_maxbytes=10MB",
                "logfile_backups=1",
                f"pidfile={_escaped(layout.supervisor_pid)}",
                f"childlogdir={_escaped(layout.logs)}",
            ]
        ),
        f"[unix_http_server]\nfile={_escaped(layout.supervisor_socket)}\nchmod=0700",
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
        *(_program_section(program, layout) for program in found),
    ]
    write_private(layout.supervisor_conf, "\n\n".join(sections) + "\n")
