"""Many bytes, laid by in a temporary file until they are read; in memory where there is no room for it."""

from __future__ import annotations

import errno
import io
import logging
import tempfile
import weakref

log = logging.getLogger(__name__)

AT_ONCE = 64 * 1024  # bytes that are gathered for a write


class Spool:
    """Written, then read. Its file goes with it. Touches a disk: not for an event loop."""

    def __init__(self) -> None:
        self.size = 0
        self._held = bytearray()
        self._file: io.FileIO | io.BytesIO
        try:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - lives as long as this object
        except OSError as exc:
            self._keep_in_memory(exc, b"")
        else:
            weakref.finalize(self, self._file.close)

    def write(self, content: bytes) -> None:
        self._held += content
        self.size += len(content)
        if len(self._held) >= AT_ONCE:
            self._flush()

    def rewind(self) -> io.FileIO | io.BytesIO:
        """What was written, from its beginning on; the file stays this object's."""
        self._flush()
        self._file.seek(0)
        return self._file

    def _flush(self) -> None:
        try:
            if self._file.write(self._held) < len(self._held):
                raise OSError(errno.ENOSPC, "the disk is full")
        except OSError as exc:
            self._file.seek(0)
            self._keep_in_memory(exc, self._file.read(self.size - len(self._held)))
            self._file.write(self._held)
        self._held.clear()

    def _keep_in_memory(self, why: OSError, content: bytes) -> None:
        log.warning("%d bytes and more stay in memory, for they cannot be laid by: %s", len(content), why)
        self._file = io.BytesIO()
        self._file.write(content)
