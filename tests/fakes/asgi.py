"""The whole site as an ASGI server has it, spoken to message by message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from asgiref.testing import ApplicationCommunicator


def scope_of(kind: str, path: str, headers: dict[str, str], **more: Any) -> dict[str, Any]:
    plain, _, query = path.partition("?")
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "path": plain,
        "raw_path": plain.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
        **more,
    }


class Exchange:
    """One HTTP request to the site; the answer's pieces come as the site sends them."""

    def __init__(self, method: str, path: str, headers: dict[str, str] | None = None) -> None:
        from aflow_site.asgi import application

        scope = scope_of("http", path, {"host": "testserver", **(headers or {})}, method=method)
        self._site = ApplicationCommunicator(application, scope)
        self.status = 0
        self.headers: dict[str, str] = {}

    async def send(self, body: bytes = b"") -> None:
        """The request; returns with the head of the answer."""
        for start in range(0, max(1, len(body)), 64 * 1024):
            piece = body[start : start + 64 * 1024]
            more = start + 64 * 1024 < len(body)
            await self._site.send_input({"type": "http.request", "body": piece, "more_body": more})
        head = await self._site.receive_output(timeout=20)
        self.status = head["status"]
        self.headers = {name.decode().lower(): value.decode("latin-1") for name, value in head["headers"]}

    async def pieces(self) -> AsyncIterator[bytes]:
        while True:
            message = await self._site.receive_output(timeout=20)
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                await self._site.wait(timeout=10)
                return

    async def body(self) -> bytes:
        return b"".join([piece async for piece in self.pieces()])

    async def hang_up(self) -> None:
        await self._site.send_input({"type": "http.disconnect"})
        await self._site.wait(timeout=10)
