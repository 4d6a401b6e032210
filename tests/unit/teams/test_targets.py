"""Where webhooks may go."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from teams.domain.targets import fault_of_url, is_allowed

OPEN = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "8.8.8.8", "::ffff:8.8.8.8"]
CLOSED = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",  # where clouds tell of a machine's credentials
    "100.64.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "localhost",
    "",
]


@pytest.mark.parametrize("address", OPEN)
def test_the_open_internet(address: str) -> None:
    assert is_allowed(address, [])


@pytest.mark.parametrize("address", CLOSED)
def test_what_only_the_platform_reaches(address: str) -> None:
    assert not is_allowed(address, [])


def test_a_network_that_the_setting_names() -> None:
    networks = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
    assert is_allowed("10.1.2.3", networks)
    assert is_allowed("fd00::1", networks)
    assert is_allowed("::ffff:10.1.2.3", networks)
    assert not is_allowed("192.168.1.1", networks)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:6379/",
        "http://[::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "//example.org/",
        "https://",
        "https://user:secret@example.org/",
        "https://example.org:0/",
        "https://example.org:99999/",
        "http://[::1",
        "https://example.org/\r\nX: y",
        "https://example.org/" + "a" * 2000,
    ],
)
def test_urls_that_are_refused_when_a_channel_is_saved(url: str) -> None:
    assert fault_of_url(url, [])


@pytest.mark.parametrize("url", ["https://example.org/hook?x=1", "http://example.org:8080/"])
def test_urls_that_are_taken(url: str) -> None:
    assert fault_of_url(url, []) is None
