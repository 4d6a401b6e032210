"""The agent's HTTP, byte by byte."""

from __future__ import annotations

import json
import socket

import pytest

from agentainer_flow.agent.http import MAX_BODY, MAX_HEAD, BadRequest, body_length, parse_head
from tests.unit.agent.running import TOKEN, RunningAgent

HEALTH = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"


def answer_of(sock: socket.socket) -> tuple[int, dict[str, str], bytes]:
    with sock.makefile("rb") as file:
        status = int(file.readline().split()[1])
        headers = {}
        while (line := file.readline().strip()) != b"":
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        return status, headers, file.read(int(headers["content-length"]))


def test_health_tells_the_boot_and_needs_no_token(agent: RunningAgent) -> None:
    answer = agent.send("GET", "/health", token=None)
    assert answer.status == 200
    assert answer.json == {"status": "ok", "boot": answer.headers["X-Agent-Boot"]}
    assert agent.send("GET", "/health?deep=1").headers["X-Agent-Boot"] == answer.headers["X-Agent-Boot"]


def test_it_says_where_it_listens(agent: RunningAgent) -> None:
    assert agent.printed == [f"listening on 127.0.0.1:{agent.port}\n"]


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN + "x", "\xe9"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/invoke"), ("POST", "/reset"), ("GET", "/nothing")])
def test_all_else_needs_the_token(agent: RunningAgent, token: str | None, method: str, path: str) -> None:
    answer = agent.send(method, path, b"{}", token=token)
    assert (answer.status, answer.error["type"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "X-Agent-Boot" in answer.headers


def test_a_large_body_without_the_token_is_not_read(agent: RunningAgent) -> None:
    with agent.connect() as sock:
        sock.sendall(b"PUT /bundles/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        status, headers, _ = answer_of(sock)
        assert (status, headers["connection"]) == (401, "close")


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/", 404, None),
        ("POST", "/invoke/x", 404, None),
        ("GET", "/invoke", 405, "POST"),
        ("DELETE", "/reset", 405, "POST"),
        ("POST", "/health", 405, "GET"),
        ("GET", "/bundles/" + "0" * 64, 405, "PUT"),
    ],
)
def test_other_requests(agent: RunningAgent, method: str, path: str, status: int, allow: str | None) -> None:
    answer = agent.send(method, path)
    assert answer.status == status
    assert answer.headers.get("Allow") == allow
    assert answer.error["type"] == ("not_found" if status == 404 else "method_not_allowed")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\x00\x01\x02\r\n\r\n", 400),
        (b"GET /health\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nspaced : x\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\n folded: x\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nContent-Length: 0x10\r\n\r\n", 400),
        (b"POST /invoke HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"POST /invoke HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1), 413),
        (b"POST /invoke HTTP/1.1\r\nContent-Length: %s\r\n\r\n" % (b"9" * 5000), 413),
        (b"GET /health HTTP/1.1\r\nlong: " + b"x" * MAX_HEAD + b"\r\n\r\n", 431),
        (b"GET /health HTTP/1.1\r\nlong: " + b"x" * MAX_HEAD, 431),
        (b"GET /health HTTP/2.0\r\n\r\n", 505),
    ],
)
def test_malformed_requests_end_the_connection(agent: RunningAgent, raw: bytes, status: int) -> None:
    with agent.connect() as sock:
        sock.sendall(raw)
        got, headers, body = answer_of(sock)
        assert got == status
        assert headers["connection"] == "close"
        assert "x-agent-boot" in headers
        assert json.loads(body)["error"]["type"] in ("bad_request", "too_large")
        assert sock.recv(100) == b""
    assert agent.send("GET", "/health").status == 200


def test_a_refused_client_gets_its_answer_though_it_goes_on_sending(agent: RunningAgent) -> None:
    with agent.connect() as sock:
        sock.sendall(b"POST /invoke HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY * 2))
        for _ in range(64):
            sock.sendall(b"x" * 65536)
        assert answer_of(sock)[0] == 413


def test_connections_are_kept_and_requests_may_wait_in_them(agent: RunningAgent) -> None:
    with agent.connect() as sock:
        sock.sendall(HEALTH * 50)
        received = b""
        while received.count(b"HTTP/1.1 200 OK") < 50 or not received.endswith(b"}"):
            received += sock.recv(65536)
        assert received.count(b"X-Agent-Boot") == 50
        sock.sendall(HEALTH)
        assert answer_of(sock)[0] == 200


def test_a_request_may_come_byte_by_byte(agent: RunningAgent) -> None:
    with agent.connect() as sock:
        for byte in b"\r\n" + HEALTH:
            sock.sendall(bytes([byte]))
        assert answer_of(sock)[0] == 200


def test_connection_close_and_http_1_0_end_the_connection(agent: RunningAgent) -> None:
    for raw in (b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n", b"GET /health HTTP/1.0\r\n\r\n"):
        with agent.connect() as sock:
            sock.sendall(raw)
            status, headers, _ = answer_of(sock)
            assert (status, headers["connection"]) == (200, "close")
            assert sock.recv(100) == b""


def test_a_client_that_asks_first_is_told_to_continue(agent: RunningAgent) -> None:
    with agent.connect() as sock:
        body = b'{"lease": "x"}'
        head = (
            b"POST /cancel HTTP/1.1\r\nAuthorization: bearer %b\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
        )
        sock.sendall(head % (TOKEN.encode(), len(body)))
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        assert answer_of(sock)[0] == 200


def test_head_parsing() -> None:
    request = parse_head(b"POST /a?b=c HTTP/1.1\r\nX-One:  1 \r\nx-one: 2")
    assert (request.method, request.path, request.keep_alive) == ("POST", "/a", True)
    assert request.headers == {"x-one": "1, 2"}
    assert body_length({}) == 0
    with pytest.raises(BadRequest):
        parse_head(b"GET  /a HTTP/1.1")
