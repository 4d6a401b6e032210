from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.renderers import BaseRenderer

from aflow_site.kernel.json import to_json

LARGE = 256 * 1024  # bytes of an answer


class JSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        if data is None:
            return b""
        content = to_json(data)
        response = (renderer_context or {}).get("response")
        if response is not None and len(content) > LARGE:
            # A response and its request hold each other until the collector comes by, which may be minutes.
            response.data = None
        return content
