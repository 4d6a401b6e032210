"""The fenced blocks of a page of Markdown, and what is said about each.

```python title="squares.py"``` is a file of that name in the page's own directory. A block of `text` right
after one that prints is what it prints, where … stands for anything. `<!-- not run: REASON -->` above a
block leaves it out; `test_every_exemption_is_counted` counts those.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parent.parent.parent
# Checked or run. Other languages stand for pictures and outputs, which nobody copies.
RUN = ("python", "sh", "yaml", "json", "dockerfile")
KNOWN = (*RUN, "text", "csv")
_TITLE = re.compile(r'title="([^"]+)"')
_EXEMPT = re.compile(r"<!--\s*not run:\s*(.+?)\s*-->")
_COMMAND = re.compile(r"(\./)?aflow \w")
# What needs a platform: the client, in Python or in a shell; curl; verbs that look at one.
_LIVE_PYTHON = re.compile(r"WorkflowClient\(\)")
_LIVE_SHELL = re.compile(r"\bcurl\b|\.aflow/|\baflow (?!up|down|test|docs|bench|verify)\w")


@dataclass(frozen=True, slots=True)
class Fence:
    """`line` is that of its first line of code, from 1. `expected`: the output that the page shows below."""

    page: str
    line: int
    language: str
    code: str
    title: str | None = None
    exempt: str | None = None
    expected: str | None = None

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """README and all that is in docs, decisions and figures left out: those tell, and have nothing to run."""
    written = sorted((ROOT / "docs").rglob("*.md"))
    names = [str(file.relative_to(ROOT)) for file in written if file.parent.name != "adr"]
    return ["README.md", *names]


def fences(page: str) -> list[Fence]:
    found: list[Fence] = []
    tokens = [token for token in MarkdownIt().parse((ROOT / page).read_text("utf-8")) if token.level >= 0]
    for before, token in _with_neighbour(tokens):
        if token.type != "fence":
            continue
        fence = _fence(page, token, before)
        if fence.language == "text" and before is not None and before.type == "fence" and found:
            last = found.pop()
            found.append(_expecting(last, fence.code) if last.language in ("sh", "python") else last)
        found.append(fence)
    return found


def commands(page: str) -> list[str]:
    """Lines of `aflow` in the text itself, between backticks."""
    tokens = MarkdownIt().parse((ROOT / page).read_text("utf-8"))
    inline = [inner for token in tokens for inner in token.children or () if inner.type == "code_inline"]
    return [" ".join(one.content.split()) for one in inline if _COMMAND.match(one.content)]


def is_live(page: str) -> bool:
    """Whether it needs a running platform."""
    needs = {"python": _LIVE_PYTHON, "sh": _LIVE_SHELL}
    return any(
        one.exempt is None and one.language in needs and needs[one.language].search(one.code) is not None
        for one in fences(page)
    )


def _with_neighbour(tokens: list[Token]) -> Iterator[tuple[Token | None, Token]]:
    """Each token with the one right above it."""
    before: Token | None = None
    for token in tokens:
        yield before, token
        before = token


def _fence(page: str, token: Token, before: Token | None) -> Fence:
    language, _, rest = token.info.strip().partition(" ")
    title = _TITLE.search(rest)
    exempt = (
        _EXEMPT.match(before.content.strip()) if before is not None and before.type == "html_block" else None
    )
    assert token.map is not None
    return Fence(
        page=page,
        line=token.map[0] + 2,
        language=language,
        code=token.content,
        title=title[1] if title else None,
        exempt=exempt[1] if exempt else None,
    )


def _expecting(fence: Fence, output: str) -> Fence:
    return Fence(fence.page, fence.line, fence.language, fence.code, fence.title, fence.exempt, output)
