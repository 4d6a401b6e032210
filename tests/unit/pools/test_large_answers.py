"""Answers that are too large to be held: what comes of them is what comes of the same bytes held."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from aflow_site.kernel.json import from_json, to_json
from aflow_site.kernel.spool import Spool
from pools.facade.contracts import AgentLost, InvocationResult, ItemResult, LargeOutput, Lease
from pools.runtime.contract import AgentHttp, bearer
from pools.services.broker import calls, conversation
from pools.services.broker.calls import Caller, Held
from pools.services.broker.exchange import decode
from pools.services.broker.lines import Lines, Question
from tests.fakes.listener import FakeListener
from tests.fakes.pools import invocation

ABOVE = 1000
TEXTS = [f"item-{number:04} é😀" for number in range(500)]


def spooled(raw: bytes) -> Spool:
    spool = Spool()
    spool.write(raw)
    return spool


def body(**fields: Any) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


def plain(result: ItemResult) -> tuple[Any, Any]:
    """The output's JSON, or the error."""
    output = result.output
    if isinstance(output, LargeOutput):
        return output.text.rewind().read(), result.error
    return to_json(output), result.error


def in_lines(raw: bytes, *, spool_above: int | None, at_once: int = 64, items: int = 1) -> InvocationResult:
    lines = Lines(items, spool_above)
    for place in range(0, len(raw), at_once):
        lines.feed(raw[place : place + at_once])
    return lines.end(invocation(1), 200, 1.0)[0]


# --- the same as held ---------------------------------------------------------------------------------------

ANSWERS = {
    "list": body(output=TEXTS, seconds=0.25),
    "object": body(output={"files": TEXTS, "more": {"a": [1, [2]], "b": 1.5e300}}, seconds=0.25),
    "ascii": json.dumps({"output": TEXTS}).encode(),
    "indented": json.dumps({"seconds": 0.5, "output": TEXTS}, indent=3).encode(),
    "huge integers": body(output=[2**70, -(2**64), *TEXTS]),
    "large beside": body(output=1, beside=TEXTS),
    "NUL": body(output=["\x00", *TEXTS]),
    "no NUL": body(output=["\\u0000", *TEXTS]),
    "null": body(output=None, beside=TEXTS),
    "error": body(error={"type": "ValueError", "message": "m" * 2000}),
    "error beside": body(output=TEXTS, error={"type": "ValueError", "message": "no"}),
    "twice": body(output=[1], beside=TEXTS)[:-1] + b',"output":[2]}',
    "one text": body(output="x" * 1_200_000),
    "deep": b'{"output":' + b"[" * 450 + b"1" + b"]" * 450 + b"}",
    "NaN that only Python reads": body(output=[2**70, float("nan"), *TEXTS]),
    # faults
    "no output": body(beside=TEXTS),
    "no object": json.dumps(TEXTS).encode(),
    "HTML": b"<html>" + b"x" * 2000,
    "wrong in the middle": body(output=TEXTS).replace(b"item-0250", b'item-"0250'),
    "a comma too many": body(output=TEXTS).replace(b'"item-0250', b',"item-0250'),
    "NaN": body(output=[float("nan"), *TEXTS]),
    "half a surrogate pair": json.dumps({"output": ["\ud800", *TEXTS]}).encode(),
    "no UTF-8": body(output=TEXTS).replace("😀".encode(), b"\xf0\x9f\x98", 1),
    "cut off": body(output=TEXTS)[:-100],
    "too deep": b'{"output":' + b"[" * 1100 + b"1" + b"]" * 1100 + b"}",
    "more after it": body(output=TEXTS) + b" {}",
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("status", [200, 500])
def test_in_one_piece(name: str, status: int) -> None:
    raw = ANSWERS[name]
    held = decode(status, raw, invocation(1), 2.0)
    large = decode(status, spooled(raw), invocation(1), 2.0)
    (one,), (other,) = held.results, large.results
    assert large.startup_seconds == held.startup_seconds
    assert other.error == one.error
    if name == "huge integers":  # with them, there are spaces between the values of their page, not of all
        assert from_json(plain(other)[0]) == one.output
    else:
        assert plain(other) == plain(one)


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize(("at_once", "end"), [(7, b""), (100, b"\n"), (100_000, b"\n \n")])
def test_in_lines(name: str, at_once: int, end: bytes) -> None:
    """Cut anywhere: between the bytes of a character, too."""
    raw = b'{"log":{"text":"a"}}\n' + ANSWERS[name].replace(b"\n", b" ") + end
    (one,) = in_lines(raw, spool_above=None, at_once=at_once).results
    (other,) = in_lines(raw, spool_above=ABOVE, at_once=at_once).results
    assert other.error == one.error
    if name == "huge integers":
        assert from_json(plain(other)[0]) == one.output
    else:
        assert plain(other) == plain(one)


@pytest.mark.parametrize(
    ("name", "has_nul"), [("list", False), ("NUL", True), ("no NUL", False), ("object", False)]
)
def test_a_large_output_tells_of_nul_characters(name: str, has_nul: bool) -> None:
    (result,) = decode(200, spooled(ANSWERS[name]), invocation(1)).results
    assert isinstance(result.output, LargeOutput)
    assert result.output.holds_nul is has_nul


# --- lines --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [("list", "object"), ("list", "NaN"), ("NaN", "list"), ("list", "error"), ("cut off", "HTML")],
)
def test_of_two_large_lines_the_last_one_is_the_answer_and_the_first_fault_counts(
    first: str, second: str
) -> None:
    raw = ANSWERS[first] + b"\n" + ANSWERS[second] + b"\n"
    (one,) = in_lines(raw, spool_above=None).results
    (other,) = in_lines(raw, spool_above=ABOVE).results
    assert plain(other) == plain(one)


def test_large_messages_are_heard_in_their_order_whatever_key_comes_first() -> None:
    lines = Lines(1, ABOVE)
    long = "x" * 5000
    call = {"id": 1, "op": "state.set", "args": {"value": long}}
    raws = [
        to_json({"progress": long}),
        to_json({"item": 0, "call": call}),
        to_json({"call": call | {"id": 2}}),
        to_json({"item": 0, "progress": [long]}),
        to_json({"log": {"text": long}}),
    ]
    messages = lines.feed(b"\n".join(raws) + b"\n" + body(output=TEXTS) + b"\n")
    calls_ = [one.number for one in messages if isinstance(one, Question)]
    assert [type(one).__name__ for one in messages] == [
        "Progress",
        "Question",
        "Question",
        "Progress",
        "LogLine",
    ]
    assert calls_ == [1, 2]
    # Calls do not count, however large.
    size = sum(map(len, [raws[0], raws[3], raws[4], body(output=TEXTS)])) + 6
    assert lines.size == size
    (result,) = lines.end(invocation(1), 200, None)[0].results
    assert isinstance(result.output, LargeOutput)


def test_a_long_line_of_nothing_is_nothing() -> None:
    (result,) = in_lines(body(output=1) + b"\n" + b" " * 5000 + b"\n", spool_above=ABOVE).results
    assert (result.output, result.error) == (1, None)


def test_it_says_when_it_takes_time() -> None:
    lines = Lines(1, ABOVE)
    assert not lines.takes_time(ABOVE)
    assert lines.takes_time(ABOVE + 1)
    lines.feed(b" " * 600)
    assert lines.takes_time(600)
    lines.feed(b'\n{"output":"' + b"x" * ABOVE)
    assert lines.takes_time()
    lines.feed(b'"}\n')
    assert lines.takes_time(), "it is still to be read"
    lines.feed(b"{}\n")
    assert not lines.takes_time(1)
    lines.feed(b'{"call":"' + b"x" * ABOVE)
    assert not lines.takes_time(1), "what a body asks is held"


def test_without_a_limit_nothing_is_laid_by() -> None:
    lines = Lines(1)
    lines.feed(ANSWERS["one text"])
    assert not lines.takes_time(10**9)


# --- memory -------------------------------------------------------------------------------------------------


def traced(work: Callable[[], Any]) -> tuple[Any, int]:
    tracemalloc.start()
    try:
        value = work()
        return value, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def answer_of(items: int) -> bytes:
    return body(output=[f"item-{number:08}.txt" for number in range(items)], seconds=0.1)


@pytest.mark.parametrize("items", [10_000, 100_000])
def test_what_a_large_answer_takes_does_not_depend_on_its_length(items: int) -> None:
    spool = spooled(answer_of(items))
    result, peak = traced(lambda: decode(200, spool, invocation(1), 1.0))
    assert result.results[0].output.text.size > 20 * items - 1
    assert peak < 1_000_000


@pytest.mark.parametrize("items", [10_000, 100_000])
def test_neither_does_one_in_lines(items: int) -> None:
    raw = b'{"log":{"text":"a"}}\n' + answer_of(items) + b"\n"
    result, peak = traced(lambda: in_lines(raw, spool_above=65_536, at_once=65_536))
    assert result.results[0].output.text.size > 20 * items - 1
    assert peak < 1_000_000


# --- over a connection --------------------------------------------------------------------------------------

Chunks = list[bytes]


@asynccontextmanager
async def serving(kind: str, chunks: Chunks, *, whole: bool = True) -> AsyncIterator[tuple[Caller, Held]]:
    """An agent that answers with these pieces, each of them flushed; not `whole`: and then hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/cancel" not in head:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: " + kind.encode())
            writer.write(b"\r\nTransfer-Encoding: chunked\r\n\r\n")
            for chunk in chunks:
                writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                await writer.drain()
                await asyncio.sleep(0)
            writer.write(b"0\r\n\r\n" if whole else b"")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    lease = Lease("lease", uuid4(), uuid4(), f"{host}:{port}", 1, datetime.now(UTC), 9, 0.0)
    async with server, AgentHttp() as http:
        yield Caller(http), Held(lease, bearer("t"))


def kinds(raw: bytes, kind: str) -> bytes:
    return raw if kind == "application/json" else b'{"log":{"text":"a"}}\n' + raw + b"\n"


BOTH = pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])


def asked(**more: Any) -> Any:
    return invocation(1, spool_above=ABOVE, listener=FakeListener(), timeout=60.0, **more)


@BOTH
async def test_a_character_that_is_cut_by_the_connection(kind: str) -> None:
    raw = kinds(body(output=TEXTS), kind)
    cut = raw.index("😀".encode()) + 2
    async with serving(kind, [raw[:cut], raw[cut : cut + 4001], raw[cut + 4001 :]]) as (caller, held):
        (result,) = (await caller.invoke(held, asked())).results
    assert isinstance(result.output, LargeOutput)
    assert result.output.text.rewind().read() == to_json(TEXTS)


@BOTH
async def test_above_it_alone_it_is_laid_by(kind: str) -> None:
    raw = kinds(body(output=TEXTS[:20]), kind)
    async with serving(kind, [raw]) as (caller, held):
        (result,) = (await caller.invoke(held, asked())).results
    assert result.output == TEXTS[:20]
    raw = kinds(body(output=TEXTS), kind)
    async with serving(kind, [raw]) as (caller, held):
        (result,) = (await caller.invoke(held, invocation(1, listener=FakeListener()))).results
    assert result.output == TEXTS


@BOTH
async def test_an_answer_that_breaks_off_is_a_lost_agent(kind: str) -> None:
    raw = kinds(body(output=TEXTS), kind)
    async with serving(kind, [raw[:5000]], whole=False) as (caller, held):
        with pytest.raises(AgentLost):
            await caller.invoke(held, asked())
    assert held.must_end


@BOTH
async def test_an_answer_above_the_limit(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (calls, conversation):
        monkeypatch.setattr(module, "MAX_ANSWER_BYTES", 1024**2)
    raw = kinds(body(output="x" * 2 * 1024**2), kind)
    async with serving(kind, [raw]) as (caller, held):
        (result,) = (await caller.invoke(held, asked())).results
    assert result.error is not None
    assert (result.error.type, result.error.message) == ("bad_answer", "The answer is larger than 1 MiB.")
    assert held.must_end


@BOTH
async def test_wrong_json_in_the_middle(kind: str) -> None:
    raw = kinds(ANSWERS["wrong in the middle"], kind)
    async with serving(kind, [raw]) as (caller, held):
        (result,) = (await caller.invoke(held, asked())).results
    assert result.error is not None
    assert result.error.message.startswith('The agent answered with status 200 and no JSON: \'{"output"')


@BOTH
async def test_reading_a_large_answer_does_not_count_as_the_step_s_time(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is here: that its time-out passes while it is read must not lose it."""
    patience: list[asyncio.Timeout] = []
    timeout = asyncio.timeout

    def noted(seconds: float | None) -> asyncio.Timeout:
        made = timeout(seconds)
        if seconds == 60.0 + calls.GRACE:
            patience.append(made)
        return made

    monkeypatch.setattr(asyncio, "timeout", noted)
    raw = kinds(body(output=TEXTS), kind)
    async with serving(kind, [raw]) as (caller, held):
        (result,) = (await caller.invoke(held, asked())).results
    assert result.error is None
    assert [one.when() for one in patience] == [None]
