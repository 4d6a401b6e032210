"""The decision records: their list, and the page that leads to them."""

from __future__ import annotations

from pathlib import Path

DIRECTORY = Path(__file__).resolve().parent.parent / "docs" / "adr"
HEAD = """# Decisions

Why things are as they are: one page for each decision that a newcomer would ask about.

"""


def files() -> list[Path]:
    return sorted(DIRECTORY.glob("[0-9]*.md"))


def page() -> str:
    return HEAD + "\n".join(f"- [{_title(file)}]({file.name})" for file in files()) + "\n"


def _title(file: Path) -> str:
    return file.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
