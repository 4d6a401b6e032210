from __future__ import annotations

from typing import Any

from rest_framework import pagination
from rest_framework.exceptions import APIException as FrameworkFault

from aflow_site.kernel.errors import InvalidInput


class CursorPagination(pagination.CursorPagination):
    """Pages by cursor, so that rows that arrive while a client pages are neither skipped nor doubled."""

    page_size = 50
    max_page_size = 500
    page_size_query_param = "limit"
    ordering: str | tuple[str, ...] = "-created_at"

    def get_page_size(self, request: Any) -> int:
        text = request.query_params.get(self.page_size_query_param)
        if text is None:
            return int(self.page_size)
        if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= self.max_page_size:
            raise InvalidInput(f"limit is a whole number from 1 to {self.max_page_size}, not {text[:40]!r}.")
        return int(text)

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> Any:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, TypeError, OverflowError, FrameworkFault) as exc:
            # A cursor that holds no position of this list.
            raise InvalidInput("The cursor is not valid; take it from `next` or `previous`.") from exc
