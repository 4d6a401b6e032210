"""What a body prints and logs, as lines of its answer, each with the item it belongs to.

Programs that a body starts write to the descriptors 1 and 2 instead; the agent reads those.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from typing import Any, BinaryIO, TextIO, cast

from agentainer_flow.agent.channel import Channel

LONGEST_LINE = 64 * 1024  # characters; longer ones are cut in pieces


class Stream(io.BufferedIOBase):
    """Cuts bytes into lines."""

    def __init__(self, channel: Channel, name: str, descriptor: int) -> None:
        self._channel = channel
        self._name = name
        self._descriptor = descriptor
        self._partial = bytearray()
        self._guard = threading.RLock()

    def fileno(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        data = bytes(data)
        if not self._channel.ours:
            return os.write(self._descriptor, data)
        with self._guard:
            self._partial += data
            if b"\n" in data or len(self._partial) > LONGEST_LINE:
                self._cut()
        return len(data)

    def _cut(self) -> None:
        *whole, rest = bytes(self._partial).split(b"\n")
        self._partial[:] = rest
        for part in whole:
            self._tell(part)
        while len(self._partial) > LONGEST_LINE:
            part = bytes(self._partial[:LONGEST_LINE])
            del self._partial[:LONGEST_LINE]
            self._tell(part)

    def _tell(self, part: bytes) -> None:
        self._channel.log(self._name, part.decode("utf-8", "replace").rstrip("\r"))

    def end_line(self) -> None:
        """What is there without a line end is a line all the same."""
        with self._guard:
            if self._partial:
                part = bytes(self._partial)
                self._partial.clear()
                self._tell(part)


class LogLines(logging.Handler):
    def __init__(self, channel: Channel) -> None:
        super().__init__(logging.NOTSET)
        self._channel = channel
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)[:LONGEST_LINE]
        except Exception:  # a body's log call with arguments that do not fit
            self.handleError(record)
            return
        if self._channel.ours:
            self._channel.log("log", text, level=record.levelname, logger=record.name)


class Captured:
    """From its making on, this process's output is the body's log."""

    def __init__(self, channel: Channel) -> None:
        self._streams = Stream(channel, "stdout", 1), Stream(channel, "stderr", 2)
        self._files: list[TextIO] = [
            io.TextIOWrapper(
                cast(BinaryIO, stream), encoding="utf-8", errors="backslashreplace", write_through=True
            )
            for stream in self._streams
        ]
        self.restore()
        vars(sys).update(__stdout__=sys.stdout, __stderr__=sys.stderr)
        root = logging.getLogger()
        root.addHandler(LogLines(channel))
        root.setLevel(logging.INFO)

    def restore(self) -> None:
        """A body may have put something else in their place."""
        sys.stdout, sys.stderr = self._files

    def end_lines(self) -> None:
        for stream in self._streams:
            stream.end_line()
