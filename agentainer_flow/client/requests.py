"""What both clients share of HTTP: when a request is sent again, and how answers and refusals are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from agentainer_flow.client.config import Endpoint
from agentainer_flow.errors import ConfigError, DefinitionError, ServerTooOld, UnreachableError, api_error

TIMEOUT = httpx.Timeout(60.0, connect=5.0)
PATIENT = httpx.Timeout(60.0, connect=5.0, read=None)  # for answers that go on
PAUSES = (0.1, 0.4, 1.0)  # seconds before each new try
MOST_PATIENCE = 5.0  # seconds: the longest Retry-After that is waited for
TRY_AGAIN = (429, 502, 503, 504)
NEEDS = (0, 1)  # the oldest version of the platform that has all that this client asks of it
VERSION_HEADER = "X-Agentainer-Version"
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def options_of(endpoint: Endpoint) -> dict[str, Any]:
    """Of an httpx client for that platform. Raises ConfigError for a URL that is none."""
    try:
        parts = urlsplit(endpoint.url)
        _ = parts.port, httpx.URL(endpoint.url)  # each complains of what it cannot read
    except (ValueError, httpx.InvalidURL) as exc:
        raise ConfigError(f"The platform's URL {endpoint.url!r} cannot be read: {exc}.") from None
    loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return {
        "base_url": f"{endpoint.url}/api/v1/",
        "headers": {"Authorization": f"Token {endpoint.token}", "Accept": "application/json"},
        "timeout": TIMEOUT,
        # A proxy of the environment is for the outside, not for a platform on this machine.
        "trust_env": not loopback,
    }


def given(params: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (params or {}).items() if value is not None}


def body(value: Any) -> bytes:
    """A value as JSON. Raises DefinitionError when it has no such form."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as exc:
        raise DefinitionError(f"What is sent to the platform must be JSON: {exc}.") from None


def next_query(query: dict[str, Any], page: Mapping[str, Any]) -> dict[str, Any] | None:
    """The query of the page after this one; None after the last."""
    if page.get("next") is None:
        return None
    # Only its query counts: behind a proxy the platform may not know its own address.
    return {**query, **dict(parse_qsl(urlsplit(page["next"]).query))}


def check_version(url: str, answer: httpx.Response) -> None:
    """Raises ServerTooOld; a platform that tells no version passes."""
    told = answer.headers.get(VERSION_HEADER, "")
    parts = told.split(".")
    if all(part.isdigit() for part in parts[: len(NEEDS)]) and tuple(map(int, parts[: len(NEEDS)])) < NEEDS:
        needed = ".".join(map(str, NEEDS))
        raise ServerTooOld(
            f"The platform at {url} is version {told}, and this client needs {needed} or newer: update the"
            f" platform, or install an SDK of its version: pip install 'agentainer-flow=={told}'."
        )


def patience(answer: httpx.Response, pause: float) -> float:
    wanted = answer.headers.get("Retry-After", "")
    return min(float(wanted), MOST_PATIENCE) if wanted.isdigit() else pause


def read(answer: httpx.Response) -> Any:
    """Its JSON. Raises a FlowAPIError for a refusal, UnreachableError for what no platform says."""
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


def silence(url: str, exc: Exception) -> UnreachableError:
    return UnreachableError(
        f"The platform at {url} does not answer ({exc or type(exc).__name__}): is it running?"
    )
