"""What goes to an agent and what comes back, without a connection."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from pools.facade.contracts import Code, Handler
from pools.services.broker.exchange import decode, encode, refusal
from tests.fakes.pools import SQUARE, invocation

JSON, NDJSON = "application/json; charset=utf-8", "application/x-ndjson"


def body(**fields: Any) -> bytes:
    return orjson.dumps(fields)


def test_a_single_input_with_its_source() -> None:
    sent = orjson.loads(encode(invocation({"x": 1}), lease="t", fence=9, with_source=True))
    assert sent["input"] == {"x": 1}
    assert sent["runs"] == {"code": SQUARE.sha256}
    assert sent["source"] == SQUARE.source
    deadline = sent["context"].pop("deadline")
    assert time.time() < deadline <= time.time() + 60
    assert sent["context"] == {"run_id": "r", "lease": "t", "fence": 9}


def test_a_batch_for_the_built_in_agent_and_for_an_image() -> None:
    built_in = orjson.loads(encode(invocation(1, 2, batch=True), lease="t", fence=1, with_source=False))
    assert built_in["inputs"] == [1, 2]
    assert "source" not in built_in
    image = orjson.loads(
        encode(invocation(1, 2, batch=True, runs=None), lease="t", fence=1, with_source=False)
    )
    assert image["input"] == {"items": [1, 2]}


def test_a_handler() -> None:
    handler = Handler("module:function", "sha", lambda: b"")
    sent = orjson.loads(encode(invocation(1, runs=handler), lease="t", fence=1, with_source=False))
    assert sent["runs"] == {"handler": "module:function", "bundle": "sha"}


@pytest.mark.parametrize("output", [None, 0, False, "", [], {"a": 1}])
def test_any_json_value_is_an_output(output: Any) -> None:
    (result,) = decode(200, JSON, body(output=output), invocation(1)).results
    assert result.error is None
    assert result.output == output


def test_what_the_body_raised() -> None:
    error = {"type": "ValueError", "message": "no", "traceback": "Traceback"}
    (result,) = decode(200, JSON, body(error=error), invocation(1)).results
    assert result.error is not None
    assert result.error.as_dict() == error


def test_batches_keep_their_order_and_their_errors() -> None:
    answer = body(outputs=[{"output": 1}, {"error": {"type": "E", "message": "m"}}, {"output": None}])
    results = decode(200, JSON, answer, invocation(1, 2, 3, batch=True)).results
    assert [result.error.type if result.error else result.output for result in results] == [1, "E", None]


def test_logs_come_with_their_item() -> None:
    lines = [{"log": {"at": 1.5, "stream": "stdout", "text": "hello", "item": 2}}, {"progress": 0.5}]
    raw = b"\n".join(map(orjson.dumps, [*lines, {"output": 3}])) + b"\n"
    result = decode(200, NDJSON, raw, invocation(1))
    assert result.results[0].output == 3
    assert [(line.stream, line.text, line.item) for line in result.logs] == [("stdout", "hello", 2)]


BAD: list[tuple[int, str, bytes, Any]] = [
    (200, "text/html", b"<html>", invocation(1)),
    (200, JSON, b"[1, 2]", invocation(1)),
    (200, JSON, b"", invocation(1)),
    (200, JSON, b'{"outputs": []}', invocation(1)),
    (500, JSON, b'{"detail": "x"}', invocation(1)),
    (200, JSON, body(outputs=[{"output": 1}]), invocation(1, 2, batch=True)),
    (200, JSON, body(output={"a": 1}), invocation(1, 2, batch=True, runs=None)),
    (200, NDJSON, b'{"log": {"text": "and then nothing"}}\n', invocation(1)),
    (200, NDJSON, b"", invocation(1)),
    (200, NDJSON, b'{"log": {"text": "half', invocation(1)),
]


@pytest.mark.parametrize(("status", "kind", "raw", "request_"), BAD)
def test_answers_that_cannot_be_used(status: int, kind: str, raw: bytes, request_: Any) -> None:
    results = decode(status, kind, raw, request_).results
    assert len(results) == len(request_.inputs)
    assert {result.error.type for result in results if result.error} == {"bad_answer"}
    assert all(result.error for result in results)


def test_an_error_object_counts_whatever_the_status() -> None:
    (result,) = decode(500, JSON, body(error={"type": "Boom", "message": "m"}), invocation(1)).results
    assert result.error is not None
    assert result.error.type == "Boom"


def test_refusals() -> None:
    assert refusal(409, body(error={"type": "code_missing"})) == "code_missing"
    assert refusal(409, b"nonsense") is None
    assert refusal(200, body(error={"type": "code_missing"})) is None


def test_code_is_told_by_its_hash_alone() -> None:
    sent = encode(invocation(1, runs=Code("h", "long")), lease="t", fence=1, with_source=False)
    assert b"long" not in sent
