"""Where webhooks may go: addresses of the open Internet, and networks that a setting names.

Otherwise whoever may add a channel could have the platform speak to what only the platform reaches: its own
Redis, a cloud's metadata service, the neighbours (server-side request forgery, OWASP A10:2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network
_NAT64 = ip_network("64:ff9b::/96")  # carries an address of IPv4 in its last 32 bits
LONGEST_URL = 2000


def is_allowed(address: str, networks: Sequence[Network]) -> bool:
    """Whether a connection may go to that IP address. What is no address may not."""
    try:
        ip = _plain(ip_address(address.split("%")[0]))
    except ValueError:
        return False
    if any(ip in network for network in networks):
        return True
    return ip.is_global and not ip.is_multicast


def _plain(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The address of IPv4 that one of IPv6 stands for, where it does."""
    if isinstance(ip, IPv6Address):
        if ip in _NAT64:
            return IPv4Address(int(ip) & 0xFFFFFFFF)
        return ip.ipv4_mapped or ip.sixtofour or ip
    return ip


def fault_of_url(url: str, networks: Sequence[Network]) -> str | None:
    """Why a webhook cannot have this address, in a sentence. Names are looked up when it is used."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "This is not a web address."
    if parts.scheme not in ("http", "https") or not host or len(url) > LONGEST_URL or port == 0:
        return "Use an address that begins with https:// or http://."
    if parts.username is not None or parts.password is not None:
        return "Leave user and password out of the address; deliveries are signed."
    if any(character.isspace() or not character.isprintable() for character in url):
        return "The address holds blanks or characters that cannot be seen."
    try:
        ip_address(host)
    except ValueError:
        return None
    if not is_allowed(host, networks):
        return (
            f"{host} is not on the open Internet; the setting AFLOW_WEBHOOK_NETWORKS can allow its network."
        )
    return None
