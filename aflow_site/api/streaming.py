"""Files as answers, in pieces: never whole in memory, under WSGI and ASGI alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import IO

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

PIECE = 256 * 1024


def file_response(request: HttpRequest, file: IO[bytes], headers: dict[str, str]) -> StreamingHttpResponse:
    """The file's bytes; it is closed with the answer."""
    pieces = _pieces_later(file) if isinstance(request, ASGIRequest) else _pieces(file)
    return StreamingHttpResponse(pieces, headers=headers)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece


async def _pieces_later(file: IO[bytes]) -> AsyncIterator[bytes]:
    read = sync_to_async(file.read, thread_sensitive=False)
    try:
        while piece := await read(PIECE):
            yield piece
    finally:
        file.close()
