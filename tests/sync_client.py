"""Makes the blocking client of the awaited one: `python -m tests.sync_client` writes, a test compares.

The one is the other without its awaits, so that they cannot drift apart.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).resolve().parent.parent / "agentainer_flow" / "client"
SOURCES = sorted(path for path in (CLIENT / "aio").glob("*.py") if path.name != "__init__.py")
HEADER = "# Made of aio/{name} by `just client`: change that one.\n"
CHANGES = (
    (r"\basync def\b", "def"),
    (r"\basync (for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (r"client\.aio\.", "client."),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"\bimport asyncio\n(?=import time\n)", ""),
    (r"\bimport asyncio\b", "import time"),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\ba(close|read|iter_lines)\(", r"\1("),
    (r"  # noqa: ASYNC109", ""),
)


def blocking(path: Path) -> str:
    text = path.read_text()
    for pattern, replacement in CHANGES:
        text = re.sub(pattern, replacement, text)
    text = HEADER.format(name=path.name) + text
    command = [sys.executable, "-m", "ruff"]
    for options in (
        ["check", "--select", "I,UP028", "--fix", "--unsafe-fixes", "--quiet"],
        ["format", "--quiet"],
    ):
        stdin = ["--stdin-filename", str(CLIENT / path.name), "-"]
        done = subprocess.run(
            [*command, *options, *stdin], input=text, capture_output=True, text=True, check=True
        )
        text = done.stdout
    return text


if __name__ == "__main__":
    for source in SOURCES:
        (CLIENT / source.name).write_text(blocking(source))
