"""Where a change comes from: which way it came in, and from which address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network
_MAX_HOPS = 20


class Via(StrEnum):
    SESSION = "session"  # a person in a browser
    TOKEN = "token"  # a program with an API token
    WEBHOOK = "webhook"  # a signed delivery
    SCHEDULE = "schedule"
    PLATFORM = "platform"  # the platform by itself, and commands on its own machine


@dataclass(frozen=True, slots=True)
class Origin:
    """`address` is empty for whatever did not come over the network."""

    via: Via = Via.PLATFORM
    address: str = ""


def client_address(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """Who opened the connection, as text; empty when nobody knows.

    `peer` is the other end of the connection, `forwarded_for` the value of `X-Forwarded-For`. Anybody can
    send that header, so it is read only as far as proxies in `trusted` wrote it: from its right end, to the
    first address that is not one of theirs.
    """
    address = _parsed(peer)
    if address is None:
        return ""
    for hop in reversed(forwarded_for.split(",")[-_MAX_HOPS:]):
        if not _within(address, trusted):
            break
        earlier = _parsed(hop)
        if earlier is None:
            break
        address = earlier
    return str(address)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """An address, with or without the port that some proxies add."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _within(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
