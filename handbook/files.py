"""What a built site refers to: files of its own must be there, and nothing is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Elements that load something by themselves; whatever an `a` leads to, the reader decides about.
_LOADING = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}
_NEVER_LOADED = {"canonical", "next", "prev", "alternate"}


def problems(site: Path) -> list[str]:
    """A sentence for each reference that leads nowhere, or that would need the internet."""
    return [problem for page in sorted(site.rglob("*.html")) for problem in _of_page(page, site)]


def _of_page(page: Path, site: Path) -> Iterator[str]:
    name = page.relative_to(site)
    for tag, target in _references(page):
        url = urlsplit(target)
        if url.scheme == "data" or (tag == "a" and url.scheme):
            continue
        if url.scheme or url.netloc:
            yield f"{name}: <{tag}> loads {target}, which needs the internet."
        elif url.path and page.name != "404.html" and not _is_there(page, site, unquote(url.path)):
            yield f"{name}: <{tag}> leads to {target}, which is not there."


def _is_there(page: Path, site: Path, path: str) -> bool:
    if path.startswith("/"):
        return True  # an address of the platform
    target = (page.parent / path).resolve()
    return target.is_relative_to(site.resolve()) and target.exists()


def _references(page: Path) -> list[tuple[str, str]]:
    """(tag, address) of all that the page names."""
    parser = _Names()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser.found


class _Names(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        target = given.get("href" if tag == "a" else _LOADING.get(tag, ""))
        if target and not (tag == "link" and given.get("rel") in _NEVER_LOADED):
            self.found.append((tag, target))
