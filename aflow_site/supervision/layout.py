"""Where a platform keeps its things: one data directory, and the few values that make it this one."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from aflow_site.supervision.troubles import PlatformTrouble

BASE_DIR = Path(__file__).resolve().parent.parent.parent
NEEDED_BYTES = 200 * 1024 * 1024
# A Unix socket's path must fit into sockaddr_un (108 bytes on Linux, 104 on macOS); supervisord binds to a
# name of its own first and adds its pid to it.
LONGEST_SOCKET_PATH = 90


@dataclass(frozen=True, slots=True)
class Layout:
    """Every path below the data directory that the platform itself writes."""

    data_dir: Path

    @property
    def run(self) -> Path:
        return self.data_dir / "run"

    @property
    def logs(self) -> Path:
        return self.data_dir / "logs"

    @property
    def redis(self) -> Path:
        return self.data_dir / "redis"

    @property
    def secret_key(self) -> Path:
        return self.data_dir / "secret_key"

    @property
    def instance_file(self) -> Path:
        return self.data_dir / "instance"

    @property
    def credentials(self) -> Path:
        return self.data_dir / "credentials.json"

    @property
    def environment(self) -> Path:
        return self.run / "environment.json"

    @property
    def examples(self) -> Path:
        return self.data_dir / "examples.json"

    @property
    def lock(self) -> Path:
        return self.run / "up.lock"

    @property
    def stopping(self) -> Path:
        """Exists while `down` is at work: who watches the supervisor then knows that its end is wanted."""
        return self.run / "stopping"

    @property
    def supervisor_conf(self) -> Path:
        return self.run / "supervisord.conf"

    @property
    def supervisor_pid(self) -> Path:
        return self.run / "supervisord.pid"

    @property
    def supervisor_log(self) -> Path:
        return self.logs / "supervisord.log"

    @property
    def supervisor_socket(self) -> Path:
        wanted = self.run / "supervisor.sock"
        if len(os.fsencode(wanted)) <= LONGEST_SOCKET_PATH:
            return wanted
        short = Path(tempfile.gettempdir()) / f"aflow-{os.getuid()}-{self._digest()}"
        return short / "supervisor.sock"

    def _digest(self) -> str:
        return hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:12]

    def instance(self) -> str:
        """The id that marks this platform's containers and processes: from the path at first, then kept."""
        if self.instance_file.exists():
            return self.instance_file.read_text().strip()
        return self._digest()


def write_private(path: Path, text: str) -> None:
    """Writes at once and readable by its owner alone (mode 0600), also where an older file was not."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)


def make_data_dir(layout: Layout) -> None:
    """Makes the directories and the secret key.

    Raises: PlatformTrouble when the directory cannot be written to, or the disk is (nearly) full.
    """
    try:
        for directory in (layout.data_dir, layout.run, layout.logs, layout.redis):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        socket_dir = layout.supervisor_socket.parent
        socket_dir.mkdir(mode=0o700, exist_ok=True)
        if socket_dir.stat().st_uid != os.getuid():
            raise PlatformTrouble(f"{socket_dir} belongs to somebody else: choose a shorter --data-dir.")
        if not layout.secret_key.exists():
            write_private(layout.secret_key, secrets.token_urlsafe(50))
        if not layout.instance_file.exists():
            write_private(layout.instance_file, layout.instance())
        write_private(layout.run / "writable", "")
    except OSError as exc:
        raise PlatformTrouble(
            f"The data directory {layout.data_dir} cannot be used ({exc.strerror or exc}): "
            "make it writable, or choose another with --data-dir DIR."
        ) from exc
    free = shutil.disk_usage(layout.data_dir).free
    if free < NEEDED_BYTES:
        raise PlatformTrouble(
            f"Only {free // 2**20} MB are free where {layout.data_dir} lies: free at least "
            f"{NEEDED_BYTES // 2**20} MB, or choose another place with --data-dir DIR."
        )
