"""Runs a command in a network namespace of its own.

A Docker Engine can be started, stopped and killed there without touching the machine's.

    python tests/chaos/apart.py COMMAND …

Needs root. Loopback is up in there; nothing leads outside.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys

CLONE_NEWNET = 0x40000000
MARK = "AFLOW_TEST_APART"  # tells tests that the network is theirs
SIOCSIFFLAGS, IFF_UP, IFF_RUNNING = 0x8914, 0x1, 0x40


def main() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        sys.exit(f"no network namespace of our own: {os.strerror(ctypes.get_errno())} (are you root?)")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP | IFF_RUNNING))
    os.environ[MARK] = "1"
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
