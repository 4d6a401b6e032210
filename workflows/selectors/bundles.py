from __future__ import annotations

from aflow_site.kernel.errors import NotFound
from workflows.models import Bundle


def bundle_content(team_id: int, sha256: str) -> bytes:
    """The zip archive's bytes; NotFound when the team has no such bundle."""
    content = Bundle.objects.filter(team_id=team_id, sha256=sha256).values_list("content", flat=True).first()
    if content is None:
        raise NotFound(f"There is no bundle {sha256[:12]}…; deploy the workflow again.")
    return bytes(content)
