"""Which headers pass from a client to an agent and back (RFC 9110, section 7.6.1), and which are ours."""

from __future__ import annotations

from collections.abc import Iterable

Pairs = list[tuple[str, str]]

REQUEST_ID, REPLAY = "X-Agentainer-Request-ID", "X-Agentainer-Replay"
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Of the client: who it is is between it and us. The agent has a token of its own to know us by.
_OURS_TO_AGENT = frozenset(
    {
        "authorization",
        "content-length",
        "cookie",
        "expect",
        "host",
        "prefer",
        "x-csrftoken",
        "x-team",
        REQUEST_ID.lower(),
        REPLAY.lower(),
    }
)
# Of the agent: what would act on our whole origin, where people are signed in.
_OURS_TO_CLIENT = frozenset(
    {
        "clear-site-data",
        "date",
        "public-key-pins",
        "server",
        "service-worker-allowed",
        "set-cookie",
        "set-cookie2",
        "strict-transport-security",
        REQUEST_ID.lower(),
    }
)
# An agent's page is shown as if from nowhere: it has neither our cookies nor our storage.
SAFE = (
    ("Content-Security-Policy", "sandbox allow-scripts allow-forms allow-popups allow-downloads"),
    ("X-Content-Type-Options", "nosniff"),
)


def to_agent(headers: Iterable[tuple[str, str]]) -> Pairs:
    return _passing(headers, _OURS_TO_AGENT)


def to_client(headers: Iterable[tuple[str, str]]) -> Pairs:
    return [*_passing(headers, _OURS_TO_CLIENT), *SAFE]


def _passing(headers: Iterable[tuple[str, str]], ours: frozenset[str]) -> Pairs:
    given = list(headers)
    named = {
        token.strip().lower()
        for name, value in given
        if name.lower() == "connection"
        for token in value.split(",")
    }
    return [
        (name, value)
        for name, value in given
        if name.lower() not in _HOP_BY_HOP and name.lower() not in ours and name.lower() not in named
    ]
