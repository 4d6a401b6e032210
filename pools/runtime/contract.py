"""The agent contract over HTTP, as its client: health, invoke, reply, cancel, reset, bundles.

One session for a process, connections kept alive (aiohttp sets TCP_NODELAY).
Does not: retry an invoke; a request that may have begun is the caller's to judge.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import aiohttp

from aflow_site.kernel.spool import Spool

BOOT_HEADER = "X-Agent-Boot"
_BOOT = re.compile(r"^[A-Za-z0-9._:-]{1,128}$")
# Trouble of the connection, as opposed to an answer.
UNREACHABLE = (aiohttp.ClientError, OSError, asyncio.IncompleteReadError)
NDJSON = "application/x-ndjson"
SHORT_ANSWER = 64 * 1024  # bytes; of everything but /invoke

Sink = Callable[[bytes], Awaitable[None]]


class AnswerTooLarge(Exception):
    """The answer passed the limit and was not read to its end."""


@dataclass(frozen=True, slots=True)
class Health:
    ok: bool
    boot: str = ""  # empty when the agent does not tell
    concurrency: int = 1  # requests that it says it can answer at once
    reason: str = ""  # timeout | unreachable | status | too_large, when not ok

    def fault(self, boot: str) -> str | None:
        """Why an agent of that boot (empty: any) must not be used, in a word; None when it may."""
        if not self.ok:
            return self.reason
        return "boot" if boot and self.boot != boot else None


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is empty where a sink took it, and where it is large: then it is in the `spool`."""

    status: int
    content_type: str
    body: bytes
    spool: Spool | None = None

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def in_lines(self) -> bool:
        return self.content_type.startswith(NDJSON)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


class AgentHttp:
    """Start it inside a running loop; close it there."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=300, enable_cleanup_closed=False)
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            cookie_jar=aiohttp.DummyCookieJar(),
            # A small compressed answer could grow past every limit: agents are asked for plain ones.
            auto_decompress=False,
            headers={"Accept-Encoding": "identity"},
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> AgentHttp:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the agents' HTTP session was not started, or is closed")
        return self._session

    async def health(
        self, address: str, headers: dict[str, str], *, within: float, path: str = "/health"
    ) -> Health:
        """Never raises for a bad agent: the answer says what is wrong."""
        try:
            async with (
                asyncio.timeout(within),
                self.session.get(f"http://{address}{path}", headers=headers) as response,
            ):
                body, _ = await _bounded(response, SHORT_ANSWER)
        except TimeoutError:
            return Health(False, reason="timeout")
        except UNREACHABLE:
            return Health(False, reason="unreachable")
        except AnswerTooLarge:
            return Health(False, reason="too_large")
        if not 200 <= response.status < 300:
            return Health(False, reason="status")
        boot = response.headers.get(BOOT_HEADER, "")
        return Health(True, boot=boot if _BOOT.match(boot) else "", concurrency=_concurrency(body))

    async def send(
        self,
        url: str,
        body: bytes,
        headers: dict[str, str],
        *,
        limit: int,
        method: str = "POST",
        sink: Sink | None = None,
        spool_above: int | None = None,
    ) -> Answer:
        """An answer in lines, unless it is a refusal, goes to the `sink` as it arrives, which keeps its own
        limit and may raise. `spool_above`: bytes of another answer that is no refusal above which it is laid
        by; None: never.

        Raises one of `UNREACHABLE`, or `AnswerTooLarge`.
        """
        try:
            async with self.session.request(method, url, data=body, headers=headers) as response:
                kind = response.headers.get("Content-Type", "")
                if sink is not None and response.ok and kind.startswith(NDJSON):
                    async for chunk in response.content.iter_any():
                        await sink(chunk)
                    return Answer(response.status, kind, b"")
                above = spool_above if response.ok else None
                return Answer(response.status, kind, *await _bounded(response, limit, above))
        except aiohttp.ServerTimeoutError as exc:
            # It is a TimeoutError too, and would pass for the caller's own time-out.
            raise aiohttp.ClientConnectionError(f"no connection to {url}: {exc}") from exc

    async def tell(
        self, address: str, path: str, payload: bytes, headers: dict[str, str], *, within: float
    ) -> bool:
        """A side call (`/cancel`, `/reply`, `/reset`): True when the agent confirmed it in time."""
        try:
            async with asyncio.timeout(within):
                answer = await self.send(f"http://{address}{path}", payload, headers, limit=SHORT_ANSWER)
        except (TimeoutError, AnswerTooLarge, *UNREACHABLE):
            return False
        return answer.ok


def _concurrency(body: bytes) -> int:
    """`"concurrency"` of an agent's /health, where it is a whole number above zero."""
    try:
        told = json.loads(body)
    except ValueError:
        return 1
    number = told.get("concurrency", 1) if isinstance(told, dict) else 1
    return number if type(number) is int and number > 0 else 1


async def _bounded(
    response: aiohttp.ClientResponse, limit: int, spool_above: int | None = None
) -> tuple[bytes, Spool | None]:
    """The bytes, or where they are laid by."""
    if (response.content_length or 0) > limit:
        response.close()
        raise AnswerTooLarge
    parts: list[bytes] = []
    size = 0
    spool: Spool | None = None
    chunk: Any
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > limit:
            response.close()
            raise AnswerTooLarge
        parts.append(chunk)
        if spool_above is not None and size > spool_above:
            spool = await asyncio.to_thread(_laid_by, parts, spool)
            parts.clear()
    return b"".join(parts), spool


def _laid_by(parts: list[bytes], spool: Spool | None) -> Spool:
    spool = spool or Spool()
    for part in parts:
        spool.write(part)
    return spool
