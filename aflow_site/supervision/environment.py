"""Which environment variables a platform runs with, and how a command finds those of a running one.

`up` resolves them once and keeps them in DIR/run/environment.json (mode 0600: a database's password may be
among them); every other command, and `manage.py shell`, then sees the same database, Redis and agents.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from aflow_site.supervision import redis_server
from aflow_site.supervision.layout import BASE_DIR, Layout, make_data_dir, write_private
from aflow_site.supervision.troubles import PlatformTrouble

DEFAULT_PORT = 8000
DEFAULT_HOST = "127.0.0.1"
# What is kept: the settings of the platform and of the Docker client, never the whole environment.
KEPT = (
    "ALLOWED_HOSTS",
    "CELERY_BROKER_URL",
    "CSRF_TRUSTED_ORIGINS",
    "DATABASE_URL",
    "DEFAULT_FROM_EMAIL",
    "EMAIL_URL",
    "REDIS_URL",
)
KEPT_PREFIXES = ("AFLOW_", "DOCKER_", "OTEL_")


def add_data_dir_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="where the platform keeps its things (default: .aflow in the checkout)",
    )


def add_start_arguments(parser: argparse.ArgumentParser) -> None:
    add_data_dir_argument(parser)
    parser.add_argument("--port", type=int, metavar="N", help=f"of the site (default: {DEFAULT_PORT})")
    parser.add_argument(
        "--runtime",
        choices=["auto", "docker", "swarm", "process"],
        help="where agents run: Docker containers, a Docker Swarm's nodes, local processes, or (auto, the "
        "default) containers where Docker answers and else processes",
    )


def current_layout() -> Layout:
    data_dir = os.environ.get("AFLOW_DATA_DIR") or str(BASE_DIR / ".aflow")
    return Layout(Path(data_dir).absolute())


def prepare(argv: Sequence[str]) -> None:
    """Sets the environment variables from which settings are read a moment later.

    `up` on a platform that does not run yet: makes the data directory and resolves everything anew. Any other
    command: takes what the last `up` resolved. Variables that people set always win.
    Raises: PlatformTrouble when `up` cannot use the data directory.
    """
    verb = argv[1] if len(argv) > 1 else ""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    add_start_arguments(parser)
    try:
        options, _ = parser.parse_known_args(list(argv[2:]))
    except argparse.ArgumentError:
        options = argparse.Namespace(data_dir=None, port=None)  # the command itself complains
    if options.data_dir:
        os.environ["AFLOW_DATA_DIR"] = str(Path(options.data_dir).expanduser().absolute())
    layout = current_layout()
    os.environ["AFLOW_DATA_DIR"] = str(layout.data_dir)
    if verb == "up" and not {"-h", "--help"} & set(argv) and not _answers(layout):
        make_data_dir(layout)
        resolve(layout, port=options.port)
    else:
        for name, value in load(layout).items():
            os.environ.setdefault(name, value)
    if not layout.secret_key.exists():
        # Nothing was started here yet: the command at hand needs a key, and nothing that it could sign lasts.
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
    os.environ.setdefault("AFLOW_INSTANCE", layout.instance())


def _answers(layout: Layout) -> bool:
    from aflow_site.supervision.supervisor_client import answers

    return answers(layout)


def resolve(layout: Layout, *, port: int | None) -> None:
    """Fills in what people did not set; `AFLOW_RUNTIME` follows when `up` has asked the container engine."""
    env = os.environ
    host = env.setdefault("AFLOW_HOST", DEFAULT_HOST)
    chosen = str(port) if port is not None else env.get("AFLOW_PORT", str(DEFAULT_PORT))
    if not chosen.isdecimal():
        raise PlatformTrouble(f"AFLOW_PORT is {chosen!r}, which is no port: mend it or unset it.")
    env["AFLOW_PORT"] = chosen
    shown = f"[{host}]" if ":" in host else ("127.0.0.1" if host == "0.0.0.0" else host)
    if "AFLOW_URL" not in env:
        env["AFLOW_URL"] = f"http://{shown}:{chosen}"
    env["AFLOW_INSTANCE"] = env.get("AFLOW_INSTANCE") or layout.instance()
    if not env.get("REDIS_URL"):
        redis_port = redis_server.free_port()
        env["REDIS_URL"] = redis_server.url(layout, redis_port)
        env["AFLOW_REDIS_PORT"] = str(redis_port)


def embedded_redis_port(env: Mapping[str, str]) -> int | None:
    """The port of the embedded Redis; None when the Redis is somebody else's."""
    port = env.get("AFLOW_REDIS_PORT")
    return int(port) if port else None


def kept(env: Mapping[str, str]) -> dict[str, str]:
    return {name: env[name] for name in sorted(env) if name in KEPT or name.startswith(KEPT_PREFIXES)}


def save(layout: Layout) -> None:
    write_private(layout.environment, json.dumps(kept(os.environ), indent=2) + "\n")


def load(layout: Layout) -> dict[str, str]:
    """What the last `up` resolved; empty before the first."""
    try:
        values: dict[str, str] = json.loads(layout.environment.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return values


def without_password(url: str) -> str:
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user = f"{parts.username}:" if parts.username else ":"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}***@{host}"))


def shown_database(env: Mapping[str, str], layout: Layout) -> str:
    """The database's address for people and programs to read, without its password."""
    return without_password(env.get("DATABASE_URL") or f"sqlite:///{layout.data_dir / 'db.sqlite3'}")
