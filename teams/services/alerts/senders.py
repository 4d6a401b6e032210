"""The two ways out: e-mail by Django's settings, and signed webhooks over HTTP."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network
from smtplib import SMTPException
from typing import Any

import aiohttp
import orjson
from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage

from aflow_site.kernel.signatures import DELIVERY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from teams.domain.alerts import addresses_of
from teams.domain.targets import Network, is_allowed

WITHIN = 10.0  # seconds for one delivery, whole


class Undelivered(Exception):
    """The text is a sentence that says why. `final`: trying again is in vain."""

    def __init__(self, sentence: str, *, final: bool = False) -> None:
        super().__init__(sentence)
        self.final = final


class _Forbidden(OSError):
    """The address is not on the open Internet."""


@dataclass(frozen=True, slots=True)
class Letter:
    """`key` is the same for every attempt, so that a receiver can tell a repetition."""

    key: str
    title: str
    text: str
    body: dict[str, Any]


def allowed_networks() -> tuple[Network, ...]:
    return _networks(tuple(settings.AFLOW_WEBHOOK_NETWORKS))


@lru_cache(maxsize=4)
def _networks(given: tuple[str, ...]) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(text.strip()) for text in given if text.strip())
    except ValueError as exc:
        raise ImproperlyConfigured(f"AFLOW_WEBHOOK_NETWORKS holds networks: {exc}.") from exc


def send_email(target: str, letter: Letter) -> None:
    """Raises `Undelivered`."""
    message = EmailMessage(letter.title, letter.text, to=addresses_of(target))
    message.extra_headers["X-Agentainer-Delivery"] = letter.key
    try:
        message.send()
    except ValueError as exc:  # an address that no mail server could take
        raise Undelivered(f"This is no address for e-mail: {exc}.", final=True) from exc
    except (SMTPException, OSError) as exc:
        raise Undelivered(f"The mail server did not take it: {exc or type(exc).__name__}.") from exc


def send_webhook(url: str, secret: str, letter: Letter) -> None:
    """Raises `Undelivered`. Redirects are not followed."""
    async_to_sync(_post)(url, secret, letter)


async def _post(url: str, secret: str, letter: Letter) -> None:
    body, timestamp = orjson.dumps(letter.body, default=str), str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Agentainer-Flow",
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: sign(secret, timestamp, body),
        DELIVERY_HEADER: letter.key,
    }
    connector = aiohttp.TCPConnector(socket_factory=_guarded_socket)
    try:
        async with (
            asyncio.timeout(WITHIN),
            aiohttp.ClientSession(connector=connector, trust_env=False) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            status = answer.status
    except (aiohttp.ClientError, OSError, ValueError) as exc:
        if _is_forbidden(exc):
            raise Undelivered(
                "Its address is not on the open Internet; the setting AFLOW_WEBHOOK_NETWORKS can allow it.",
                final=True,
            ) from exc
        raise Undelivered(f"It could not be reached: {exc or type(exc).__name__}.") from exc
    if not 200 <= status < 300:
        raise Undelivered(f"It answered with status {status}.", final=status == 410)


def _guarded_socket(info: Any) -> socket.socket:
    """Asked right before each connection, with the address that it goes to: no name can change meanwhile."""
    family, kind, protocol, _, address = info
    if not is_allowed(str(address[0]), allowed_networks()):
        raise _Forbidden(f"{address[0]} is not allowed")
    return socket.socket(family, kind, protocol)


def _is_forbidden(exc: BaseException | None) -> bool:
    while exc is not None:
        grouped = exc.exceptions if isinstance(exc, BaseExceptionGroup) else ()
        if isinstance(exc, _Forbidden) or any(map(_is_forbidden, grouped)):
            return True
        exc = getattr(exc, "os_error", None) or exc.__cause__ or exc.__context__
    return False
