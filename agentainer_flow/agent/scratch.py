"""The writable place of an agent: where bodies find themselves, their temporary files, and bundles.

A command gets a place of its own, and leaves nothing: neither there nor beside it.

Does not: protect the files from the bodies, which run as the same user.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


class Scratch:
    """Raises `OSError` when nothing can be written."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="agentainer-"))
        self.bundles = self.root / "bundles"
        self.work = self.root / "work"
        self.command = self.root / "command"
        # In a container of its own, all that can be written is this agent's; elsewhere others use it too.
        places = (tempfile.gettempdir(), "/dev/shm", "/var/tmp")
        self._swept = [Path(place) for place in places if _is_alone() and os.path.ismount(place)]
        self.work.mkdir()

    def wipe(self) -> None:
        """Leaves empty places. What cannot be removed belongs to somebody else."""
        remove(self.work)
        remove(self.command)
        for place in self._swept:
            with contextlib.suppress(OSError):
                for entry in place.iterdir():
                    if entry != self.root:
                        remove(entry)
        self.work.mkdir(exist_ok=True)

    @contextlib.contextmanager
    def for_command(self) -> Iterator[Path]:
        """An empty place; afterwards it is gone, and so is what else appeared meanwhile."""
        before = {place: {entry.name for entry in place.iterdir()} for place in self._swept}
        self.command.mkdir()
        try:
            yield self.command
        finally:
            remove(self.command)
            for place, names in before.items():
                for entry in place.iterdir():
                    if entry.name not in names:
                        remove(entry)

    def wipe_after_command(self) -> None:
        """For a new worker: what a command left that was killed with the worker before."""
        if self.command.exists():
            self.wipe()

    def remove(self) -> None:
        remove(self.root)


def _is_alone() -> bool:
    """The main process of a container (or the child of its init) whose root cannot be written."""
    leads = os.getpid() == 1 or os.getppid() == 1
    return leads and bool(os.statvfs("/").f_flag & os.ST_RDONLY)


def remove(entry: Path) -> None:
    if entry.is_symlink() or not entry.is_dir():
        with contextlib.suppress(OSError):
            entry.unlink()
        return
    # A body may have taken its directories' rights away, which would keep their content.
    _open_up(str(entry))
    for folder, names, _ in os.walk(entry):
        for name in names:
            _open_up(os.path.join(folder, name))
    shutil.rmtree(entry, ignore_errors=True)


def _open_up(folder: str) -> None:
    if not os.path.islink(folder):
        with contextlib.suppress(OSError):
            os.chmod(folder, 0o700)
