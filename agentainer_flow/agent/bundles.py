"""Bundles (zip files of Python modules) unpacked on disk, by the sha256 of the zip.

Does not: import anything; the worker does.
"""

from __future__ import annotations

import errno
import hashlib
import io
import lzma
import shutil
import stat
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path, PurePosixPath

from agentainer_flow.agent.scratch import remove

KEPT = 8
MAX_FILES = 10_000
MAX_UNPACKED = 256 * 1024 * 1024
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
# What zipfile and the decompressors raise for bad bytes, encryption, and methods they lack.
UNREADABLE = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
)


class BadBundle(Exception):
    """The upload is refused; `status` is what the answer has."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class BundleStore:
    """Not for several threads at once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._known: OrderedDict[str, None] = OrderedDict()

    def has(self, sha: str) -> bool:
        if sha not in self._known:
            return False
        self._known.move_to_end(sha)
        return True

    def add(self, sha: str, content: bytes, in_use: str = "") -> None:
        """Raises `BadBundle`. Bundles that were not used for long make room, never the one `in_use`."""
        if hashlib.sha256(content).hexdigest() != sha:
            raise BadBundle("The bundle's content does not have this sha256.")
        if self.has(sha):
            return
        self._make_room(KEPT - 1, in_use)
        try:
            self._unpack(sha, content)
        except OSError:
            self._make_room(0, in_use)
            try:
                self._unpack(sha, content)
            except OSError as again:
                raise BadBundle("There is no space for the bundle on this agent.", 507) from again
        self._known[sha] = None

    def _make_room(self, keep: int, in_use: str) -> None:
        for sha in [sha for sha in self._known if sha != in_use]:
            if len(self._known) <= keep:
                return
            del self._known[sha]
            remove(self.directory / sha)

    def _unpack(self, sha: str, content: bytes) -> None:
        partial = self.directory / f"{sha}.part"
        remove(partial)
        partial.mkdir(parents=True)
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for entry in checked(archive):
                    target = partial.joinpath(*PurePosixPath(entry.filename).parts)
                    if entry.is_dir():
                        target.mkdir(parents=True, exist_ok=True)
                        continue
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(entry) as source, target.open("xb") as file:
                        shutil.copyfileobj(source, file)
            partial.rename(self.directory / sha)
        except OSError as exc:
            if exc.errno in NO_SPACE:
                raise
            raise BadBundle(f"The bundle cannot be unpacked: {exc.strerror or exc}.") from exc
        except UNREADABLE as exc:
            raise BadBundle(f"The bundle is no zip file that can be read: {exc}.") from exc
        finally:
            remove(partial)

    def wipe(self) -> None:
        self._known.clear()
        remove(self.directory)


def checked(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The entries, all of them harmless. Raises `BadBundle`."""
    entries = archive.infolist()
    if len(entries) > MAX_FILES:
        raise BadBundle(f"The bundle has more than {MAX_FILES:,} files.")
    # The reader stops at the size that the directory claims, so the sum is a true bound.
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise BadBundle(f"The bundle is larger than {MAX_UNPACKED // 1024**2} MiB when unpacked.")
    for entry in entries:
        name = entry.filename
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in name:
            raise BadBundle(f"The bundle has a file at an unsafe place: {name!r}.")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise BadBundle(f"The bundle has an entry that is no plain file: {name!r}.")
    return entries
