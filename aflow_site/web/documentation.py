"""The documentation site at `/docs/`, as `./aflow docs` has built it in this checkout.

Does not: ask who is there. It holds nothing of any team.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils._os import safe_join
from django.views.decorators.http import require_safe


@require_safe
def documentation(request: HttpRequest, path: str) -> HttpResponse:
    """A file of the site; 404 with a page that says how to build it when nobody has."""
    root = Path(settings.DOCUMENTATION)
    if not (root / "index.html").is_file():
        return render(request, "docs.html", status=404)
    file = _inside(root, path or "index.html")
    if file is None:
        return render(request, "404.html", status=404)
    kind, _ = mimetypes.guess_type(file.name)
    return HttpResponse(file.read_bytes(), content_type=kind or "application/octet-stream")


def _inside(root: Path, path: str) -> Path | None:
    """The file of that path below the directory, if there is one."""
    try:
        file = Path(safe_join(root, path))
    except (SuspiciousFileOperation, ValueError):
        return None
    return file if file.is_file() else None
