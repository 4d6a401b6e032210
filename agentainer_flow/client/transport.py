"""Requests to the platform's REST API: repeated where that is safe, every refusal a typed error.

A request is sent again when the connection could not be made, or when it broke and sending twice does no harm:
reads, saves of the same content, and everything with an Idempotency-Key. So it is after 429 and 503.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import httpx

from agentainer_flow.client.config import Connection
from agentainer_flow.errors import FlowError, UnreachableError, api_error

ATTEMPTS = 4
FIRST_PAUSE = 0.2  # seconds, doubled each time
LONGEST_PAUSE = 5.0
_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_SAFE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Transport:
    """`handler` replaces the network in tests, `sleep` the clock."""

    def __init__(
        self,
        connection: Connection,
        *,
        handler: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.connection = connection
        self._sleep = sleep
        self._http = httpx.Client(
            base_url=f"{connection.url}/api/v1/",
            headers={"Authorization": f"Token {connection.token}", "Accept": "application/json"},
            timeout=_TIMEOUT,
            # A proxy of the environment never leads to this machine itself.
            trust_env=urlsplit(connection.url).hostname not in _LOOPBACK,
            transport=handler,
        )

    def close(self) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        repeatable: bool = False,
    ) -> Any:
        """The answer's JSON, None for an empty one. `path` is relative to /api/v1/.

        Raises UnreachableError, or the FlowAPIError of the answer's status.
        """
        headers = dict(headers or {})
        repeatable = repeatable or method in _SAFE or "Idempotency-Key" in headers
        given = {name: value for name, value in (query or {}).items() if value is not None}
        request = self._http.build_request(
            method, path, json=json, content=content, params=given, headers=headers
        )
        for attempt in range(1, ATTEMPTS + 1):
            last = attempt == ATTEMPTS
            try:
                answer = self._http.send(request)
            except httpx.ConnectError as exc:
                if last:
                    raise self._unreachable(exc) from exc
            except httpx.TransportError as exc:
                if last or not repeatable:
                    raise self._unreachable(exc) from exc
            else:
                if answer.status_code not in (429, 503) or last or not repeatable:
                    return _body(answer)
                self._sleep(_asked_pause(answer))
                continue
            self._sleep(FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.0))
        raise AssertionError("the last attempt returns or raises")

    def pages(self, path: str, query: dict[str, Any] | None = None) -> Iterator[list[dict[str, Any]]]:
        """Each page of a list; asked for as they are taken."""
        while True:
            page = self.request("GET", path, query=query)
            yield page["results"]
            if not page.get("next"):
                return
            # Only its cursor counts: behind a proxy the platform may not know its own address.
            query = {**(query or {}), **dict(parse_qsl(urlsplit(page["next"]).query))}

    def _unreachable(self, exc: httpx.TransportError) -> UnreachableError:
        reason = str(exc) or type(exc).__name__
        return UnreachableError(f"The platform at {self.connection.url} does not answer ({reason}).")


def _asked_pause(answer: httpx.Response) -> float:
    try:
        return min(LONGEST_PAUSE, max(0.0, float(answer.headers.get("Retry-After", "1"))))
    except ValueError:
        return 1.0


def _body(answer: httpx.Response) -> Any:
    try:
        body = answer.json() if answer.content else None
    except ValueError:
        body = None
        if answer.is_success:
            raise FlowError(
                f"{answer.url} did not answer with JSON; is this the platform's address?"
            ) from None
    if not answer.is_success:
        raise api_error(answer.status_code, body)
    return body


def segment(name: str) -> str:
    """One part of a path, quoted."""
    return quote(str(name), safe="")
