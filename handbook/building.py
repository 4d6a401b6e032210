"""Brings the written and the made pages together, and has Zensical build the site of them.

Strict: a link or an anchor that leads nowhere fails the build, and so does a missing file. Nothing is
fetched, neither while it is built nor by the browser that shows it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from handbook import decisions, examples
from handbook.files import problems
from handbook.reference import command_line, document, errors, rest, shapes

ROOT = Path(__file__).resolve().parent.parent
WRITTEN = ROOT / "docs"
CONFIGURATION = ROOT / "zensical.toml"
SITE = ROOT / "site"
BUILD_SECONDS = 300
# The name of a file below reference/ -> what gives its Markdown.
PAGES: dict[str, Callable[[], str]] = {
    "command-line.md": command_line.page,
    "document.md": document.page,
    "errors.md": errors.page,
    "rest.md": rest.page,
    "shapes.md": shapes.page,
}


class BuildFailed(Exception):
    """The text says what is wrong, and where."""


def build(site: Path = SITE) -> None:
    """Replaces the directory `site` with the site as the working tree has it. Raises BuildFailed."""
    with tempfile.TemporaryDirectory(prefix="aflow-docs-") as name:
        place = Path(name)
        gather(place / "docs")
        (place / CONFIGURATION.name).write_text(configuration(), encoding="utf-8")
        _zensical(place)
        found = problems(place / "site")
        if found:
            raise BuildFailed("\n".join(found))
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(place / "site", site)


def gather(pages: Path) -> None:
    """Writes every page into the directory: the written ones, and those that are made of the code."""
    shutil.copytree(WRITTEN, pages)
    shutil.copy(ROOT / "CHANGELOG.md", pages / "changelog.md")
    (pages / "adr" / "index.md").write_text(decisions.page(), encoding="utf-8")
    (pages / "examples").mkdir()
    for name, text in examples.pages().items():
        (pages / "examples" / name).write_text(text, encoding="utf-8")
    for name, page in PAGES.items():
        (pages / "reference" / name).write_text(page(), encoding="utf-8")


def configuration() -> str:
    """Zensical's, with every decision and every example in its navigation."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    many = {
        "adr": [file.name for file in decisions.files()],
        "examples": [examples.page_of(file) for file in examples.files()],
    }
    for directory, names in many.items():
        listed = ", ".join(f'"{directory}/{name}"' for name in names)
        text = text.replace(f'"{directory}/*.md"', listed)
    return text


def _zensical(place: Path) -> None:
    # The reference of the SDK is read from its sources.
    search = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": search, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise BuildFailed(f"The site could not be built:\n{done.stdout}")
