"""From which address a request comes, for the audit log."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import lru_cache
from ipaddress import ip_network
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

from teams.domain.origin import Network, client_address
from teams.facade import api as teams
from teams.facade.contracts import Via


@lru_cache(maxsize=4)
def _networks(given: tuple[str, ...]) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(text.strip()) for text in given if text.strip())
    except ValueError as exc:
        raise ImproperlyConfigured(f"AFLOW_TRUSTED_PROXIES holds addresses and networks: {exc}.") from exc


def _address(request: HttpRequest) -> str:
    trusted = _networks(tuple(settings.AFLOW_TRUSTED_PROXIES))
    forwarded_for = request.META.get("HTTP_X_FORWARDED_FOR", "")
    return client_address(request.META.get("REMOTE_ADDR", ""), forwarded_for, trusted)


@sync_and_async_middleware
def origin_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Signing in says later whether it is a session or a token (`teams.api.authentication`)."""
    _networks(tuple(settings.AFLOW_TRUSTED_PROXIES))  # a fault in the setting shows at the start

    async def aware(request: HttpRequest) -> HttpResponse:
        with teams.acting(Via.PLATFORM, _address(request)):
            answer: Awaitable[HttpResponse] = get_response(request)
            return await answer

    def plain(request: HttpRequest) -> HttpResponse:
        with teams.acting(Via.PLATFORM, _address(request)):
            answer: HttpResponse = get_response(request)
            return answer

    return aware if inspect.iscoroutinefunction(get_response) else plain
