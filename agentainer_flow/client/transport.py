"""HTTP to the platform: retries where they are safe, answers and refusals in our words.

A request is sent again after trouble of the connection when it is a GET, when it carries an idempotency key,
or when it cannot have arrived. Does not: know any path.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from agentainer_flow.client.config import Endpoint
from agentainer_flow.errors import UnreachableError, api_error

TIMEOUT = httpx.Timeout(60.0, connect=5.0)
PAUSES = (0.1, 0.4, 1.0)  # seconds before each new try
MOST_PATIENCE = 5.0  # seconds: the longest Retry-After that is waited for
_TRY_AGAIN = (429, 502, 503, 504)
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Transport:
    """`transport` is for tests."""

    def __init__(self, endpoint: Endpoint, transport: httpx.BaseTransport | None = None) -> None:
        self.url = endpoint.url
        # A proxy of the environment is for the outside, not for a platform on this machine.
        loopback = urlsplit(endpoint.url).hostname in ("localhost", "127.0.0.1", "::1")
        self._http = httpx.Client(
            base_url=f"{endpoint.url}/api/v1/",
            headers={"Authorization": f"Token {endpoint.token}", "Accept": "application/json"},
            timeout=TIMEOUT,
            trust_env=not loopback,
            transport=transport,
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
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> Any:
        """The answer's JSON (None without a body). `key` makes a repeated request count once.

        Raises a FlowAPIError when the platform refuses, UnreachableError when it does not answer.
        """
        return _read(
            self._send(method, path, json=json, content=content, params=params, headers=headers, key=key)
        )

    def raw(
        self, method: str, path: str, *, json: Any = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """The answer as it is, for what is not always JSON. Raises as `request` does."""
        answer = self._send(method, path, json=json, headers=headers)
        if answer.is_error:
            _read(answer)
        return answer

    def lines(self, path: str, params: Mapping[str, Any] | None = None) -> Iterator[str]:
        """The lines of an answer that goes on. Raises as `request` does."""
        patient = httpx.Timeout(60.0, connect=5.0, read=None)
        try:
            with self._http.stream("GET", path, params=_given(params), timeout=patient) as answer:
                if answer.is_error:
                    answer.read()
                    _read(answer)
                yield from answer.iter_lines()
        except httpx.HTTPError as exc:
            raise UnreachableError(self._silence(exc)) from exc

    def _send(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> httpx.Response:
        sent = {**(headers or {}), **({"Idempotency-Key": key} if key else {})}
        safe = method == "GET" or key is not None
        for pause in (*PAUSES, None):
            try:
                answer = self._http.request(
                    method, path, json=json, content=content, params=_given(params), headers=sent
                )
            except httpx.TransportError as exc:
                if pause is None or not (safe or isinstance(exc, _NOT_SENT)):
                    raise UnreachableError(self._silence(exc)) from exc
                time.sleep(pause)
                continue
            except httpx.HTTPError as exc:
                raise UnreachableError(self._silence(exc)) from exc
            if pause is None or not safe or answer.status_code not in _TRY_AGAIN:
                return answer
            time.sleep(_patience(answer, pause))
        raise AssertionError("the last try returns or raises")

    def _silence(self, exc: Exception) -> str:
        return f"The platform at {self.url} does not answer ({exc or type(exc).__name__}): is it running?"

    def pages(self, path: str, params: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """The elements of a list, page after page."""
        query = dict(params or {})
        while True:
            page = self.request("GET", path, params=query)
            yield from page["results"]
            if page.get("next") is None:
                return
            # Only its query counts: behind a proxy the platform may not know its own address.
            query = {**query, **dict(parse_qsl(urlsplit(page["next"]).query))}


def _given(params: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (params or {}).items() if value is not None}


def _patience(answer: httpx.Response, pause: float) -> float:
    wanted = answer.headers.get("Retry-After", "")
    return min(float(wanted), MOST_PATIENCE) if wanted.isdigit() else pause


def _read(answer: httpx.Response) -> Any:
    try:
        body = answer.json() if answer.content else None
    except ValueError:
        body = None
        if not answer.is_error:
            raise UnreachableError(
                f"{answer.url} answered with no JSON: is this URL the platform's?"
            ) from None
    if answer.is_error:
        raise api_error(answer.status_code, body)
    return body
