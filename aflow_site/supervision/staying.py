"""The foreground of `./aflow up`: a small process without Django that waits for Ctrl-C.

`up` replaces itself with it, so that the hundred megabytes of the start are given back; when it is told to
stop, it replaces itself with `./aflow down`. The signals stay blocked across both changes: none is lost.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

from aflow_site.supervision.layout import BASE_DIR, Layout

STOPPING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
LOOK_EVERY = 1.0  # seconds between two looks at the supervisor


def hold_signals() -> None:
    """From here on they wait until somebody takes them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)


def stay(layout: Layout) -> None:
    """Does not return: becomes the waiting process. The caller holds the signals already."""
    sys.stdout.flush()
    os.chdir(BASE_DIR)
    os.execv(sys.executable, [sys.executable, "-m", "aflow_site.supervision.staying", str(layout.data_dir)])


def _lives(pid_file: Path) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)  # the supervisor is this process's child: a dead one must not linger
    try:
        os.kill(int(pid_file.read_text()), 0)
    except (OSError, ValueError):
        return False
    return True


def main() -> None:
    layout = Layout(Path(sys.argv[1]))
    while _lives(layout.supervisor_pid):
        if signal.sigtimedwait(STOPPING, LOOK_EVERY) is not None:
            print("\nStopping …", flush=True)
            _become_down(layout)
    if layout.stopping.exists():
        print("Stopped by ./aflow down.")
        return
    print(
        "The supervisor is gone; stopping what it left. Start again with ./aflow up.",
        file=sys.stderr,
        flush=True,
    )
    _become_down(layout, failed=True)


def _become_down(layout: Layout, *, failed: bool = False) -> None:
    arguments = [sys.executable, str(BASE_DIR / "manage.py"), "down", "--data-dir", str(layout.data_dir)]
    os.execv(sys.executable, [*arguments, *(["--failed"] if failed else [])])


if __name__ == "__main__":
    main()
