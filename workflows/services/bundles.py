"""Uploaded code: zip archives by content hash, which agents fetch once and keep."""

from __future__ import annotations

import hashlib
import io
import zipfile

from aflow_site.kernel.errors import InvalidInput
from workflows.models import Bundle


def store_bundle(team_id: int, content: bytes) -> Bundle:
    """Keeps a zip archive by its SHA-256; the same content again gives the same bundle."""
    if not content:
        raise InvalidInput("The body is empty; send a zip archive (application/zip).")
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise InvalidInput("The body is not a zip archive.")
    sha256 = hashlib.sha256(content).hexdigest()
    bundle, _ = Bundle.objects.get_or_create(
        team_id=team_id, sha256=sha256, defaults={"size": len(content), "content": content}
    )
    return bundle
