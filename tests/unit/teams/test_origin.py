"""Whose address a request comes from: headers are believed as far as trusted proxies wrote them."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from teams.domain.origin import client_address

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "header", "told"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # nobody's proxy: the header is a claim
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.66, 198.51.100.1", "198.51.100.1"),  # the client wrote the first part itself
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("fd00::1", "[2001:db8::7]:443", "2001:db8::7"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("", "198.51.100.1", ""),
        ("unix:", "198.51.100.1", ""),
    ],
)
def test_the_client_s_address(peer: str, header: str, told: str) -> None:
    assert client_address(peer, header, PROXIES) == told


def test_without_proxies_only_the_connection_counts() -> None:
    assert client_address("10.0.0.1", "198.51.100.1", []) == "10.0.0.1"


def test_a_header_without_end_is_not_read_to_its_end() -> None:
    header = ", ".join(["198.51.100.1", *["10.0.0.2"] * 100_000])
    assert client_address("10.0.0.1", header, PROXIES) == "10.0.0.2"
