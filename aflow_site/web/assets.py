"""Where Vite put the scripts and styles of each page: its manifest, read once per build.

Without a build the pages still answer: they say what is missing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.templatetags.static import static

APP = "src/main.tsx"
PAGES = "src/theme/pages.css"


@dataclass(frozen=True, slots=True)
class Assets:
    """Addresses of one entry: its script (None when it has none), its styles, what to load early."""

    script: str | None = None
    styles: tuple[str, ...] = ()
    preloads: tuple[str, ...] = ()


_read: tuple[float, dict[str, Any]] | None = None


def assets_of(entry: str) -> Assets | None:
    """The assets of an entry of the build; None when there is no build."""
    manifest = _manifest()
    if manifest is None or entry not in manifest:
        return None
    chunk = manifest[entry]
    imported = _imports(manifest, chunk)
    styles = [style for part in (*imported, chunk) for style in part.get("css", ())]
    if chunk["file"].endswith(".css"):
        return Assets(styles=(static(chunk["file"]),))
    return Assets(
        script=static(chunk["file"]),
        styles=tuple(static(style) for style in dict.fromkeys(styles)),
        preloads=tuple(static(part["file"]) for part in imported),
    )


def _manifest() -> dict[str, Any] | None:
    global _read
    path = Path(settings.FRONTEND_DIST) / ".vite" / "manifest.json"
    try:
        changed = path.stat().st_mtime
        if _read is None or _read[0] != changed:
            _read = (changed, json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    return _read[1]


def _imports(manifest: dict[str, Any], chunk: dict[str, Any]) -> list[dict[str, Any]]:
    """What the chunk imports statically, directly or not, each once."""
    found: dict[str, dict[str, Any]] = {}
    todo = list(chunk.get("imports", ()))
    while todo:
        name = todo.pop(0)
        if name not in found:
            found[name] = manifest[name]
            todo += manifest[name].get("imports", ())
    return list(found.values())
