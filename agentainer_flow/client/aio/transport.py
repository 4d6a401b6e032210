"""HTTP to the platform: retries where they are safe, answers and refusals in our words.

A request is sent again after trouble of the connection when it is a GET, when it carries an idempotency key,
or when it cannot have arrived. Does not: know any path.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx

from agentainer_flow.client import requests
from agentainer_flow.client.config import Endpoint


class AsyncTransport:
    """`transport` is for tests."""

    def __init__(self, endpoint: Endpoint, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.url = endpoint.url
        self._http = httpx.AsyncClient(transport=transport, **requests.options_of(endpoint))

    async def aclose(self) -> None:
        await self._http.aclose()

    async def request(
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
        answer = await self._send(
            method, path, json=json, content=content, params=params, headers=headers, key=key
        )
        return requests.read(answer)

    async def raw(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The answer as it is, for what is not always JSON. Raises as `request` does."""
        answer = await self._send(method, path, json=json, params=params, headers=headers)
        if answer.is_error:
            requests.read(answer)
        return answer

    async def lines(self, path: str, params: Mapping[str, Any] | None = None) -> AsyncIterator[str]:
        """The lines of an answer that goes on. Raises as `request` does."""
        query = requests.given(params)
        try:
            async with self._http.stream("GET", path, params=query, timeout=requests.PATIENT) as answer:
                if answer.is_error:
                    await answer.aread()
                    requests.read(answer)
                async for line in answer.aiter_lines():
                    yield line
        except httpx.HTTPError as exc:
            raise requests.silence(self.url, exc) from exc

    async def _send(
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
        if json is not None:
            content, sent["Content-Type"] = requests.body(json), "application/json"
        query = requests.given(params)
        safe = method == "GET" or key is not None
        for pause in (*requests.PAUSES, None):
            try:
                answer = await self._http.request(method, path, content=content, params=query, headers=sent)
            except httpx.TransportError as exc:
                if pause is None or not (safe or isinstance(exc, requests.NOT_SENT)):
                    raise requests.silence(self.url, exc) from exc
                await asyncio.sleep(pause)
                continue
            except httpx.HTTPError as exc:
                raise requests.silence(self.url, exc) from exc
            requests.check_version(self.url, answer)
            if pause is None or not safe or answer.status_code not in requests.TRY_AGAIN:
                return answer
            await asyncio.sleep(requests.patience(answer, pause))
        raise AssertionError("the last try returns or raises")

    async def pages(
        self, path: str, params: Mapping[str, Any] | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """The elements of a list, page after page."""
        query: dict[str, Any] | None = dict(params or {})
        while query is not None:
            page = await self.request("GET", path, params=query)
            for element in page["results"]:
                yield element
            query = requests.next_query(query, page)

    async def all(
        self, path: str, params: Mapping[str, Any] | None = None, most: int | None = None
    ) -> list[dict[str, Any]]:
        """The elements of a list (the first `most` of them)."""
        found: list[dict[str, Any]] = []
        query: dict[str, Any] | None = dict(params or {})
        while query is not None and (most is None or len(found) < most):
            page = await self.request("GET", path, params=query)
            found += page["results"]
            query = requests.next_query(query, page)
        return found if most is None else found[:most]
