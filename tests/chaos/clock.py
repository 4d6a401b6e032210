"""A wall clock that can be set for some processes.

libfaketime does this too; `time.sleep` of Python 3.11 fails under it when monotonic clocks are to stay.
"""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

COMPILER = "gcc"
SOURCE = Path(__file__).with_name("clock.c")


class Clock:
    """Everything of it lies in `directory`. `environment` is for the processes."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "offset"
        self._file.write_bytes(struct.pack("q", 0))
        library = directory / "clock.so"
        command = [COMPILER, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True)
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(self._file)}

    def step(self, seconds: int) -> None:
        """Sets it forward, or back, for every process at once."""
        with self._file.open("r+b") as file:
            (offset,) = struct.unpack("q", file.read())
            file.seek(0)
            file.write(struct.pack("q", offset + seconds))
