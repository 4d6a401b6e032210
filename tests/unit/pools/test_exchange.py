"""What goes to an agent and what comes back, without a connection."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from pools.facade.contracts import Code, Handler
from pools.services.broker.exchange import decode, encode, encode_reply, refusal, refused_bundle
from tests.fakes.pools import SQUARE, invocation


def body(**fields: Any) -> bytes:
    return orjson.dumps(fields)


def test_a_single_input_with_its_source() -> None:
    sent = orjson.loads(encode(invocation({"x": 1}), lease="t", fence=9, with_source=True))
    assert sent["input"] == {"x": 1}
    assert sent["runs"] == {"code": SQUARE.sha256}
    assert sent["source"] == SQUARE.source
    deadline = sent["context"].pop("deadline")
    assert time.time() < deadline <= time.time() + 60
    assert sent["context"] == {"run_id": "r", "lease": "t", "fence": 9, "timeout": 5.0}


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
    (result,) = decode(200, body(output=output), invocation(1)).results
    assert result.error is None
    assert result.output == output


def test_what_the_body_raised() -> None:
    error = {"type": "ValueError", "message": "no", "traceback": "Traceback"}
    (result,) = decode(200, body(error=error), invocation(1)).results
    assert result.error is not None
    assert result.error.as_dict() == error


def test_batches_keep_their_order_and_their_errors() -> None:
    answer = body(outputs=[{"output": 1}, {"error": {"type": "E", "message": "m"}}, {"output": None}])
    results = decode(200, answer, invocation(1, 2, 3, batch=True)).results
    assert [result.error.type if result.error else result.output for result in results] == [1, "E", None]


BAD: list[tuple[int, bytes, Any]] = [
    (200, b"<html>", invocation(1)),
    (200, b"[1, 2]", invocation(1)),
    (200, b"", invocation(1)),
    (200, b'{"outputs": []}', invocation(1)),
    (500, b'{"detail": "x"}', invocation(1)),
    (200, body(outputs=[{"output": 1}]), invocation(1, 2, batch=True)),
    (200, body(output={"a": 1}), invocation(1, 2, batch=True, runs=None)),
]


@pytest.mark.parametrize(("status", "raw", "request_"), BAD)
def test_answers_that_cannot_be_used(status: int, raw: bytes, request_: Any) -> None:
    results = decode(status, raw, request_).results
    assert len(results) == len(request_.inputs)
    assert {result.error.type for result in results if result.error} == {"bad_answer"}
    assert all(result.error for result in results)


@pytest.mark.parametrize(
    ("seconds", "startup"),
    [(1.5, 0.5), (0, 2.0), (3, 0.0), (None, None), ("1", None), (-1, None), (True, None), (1e400, None)],
)
def test_start_up_is_what_the_bodies_did_not_take(seconds: Any, startup: float | None) -> None:
    raw = b'{"output": 1, "seconds": 1e400}' if seconds == 1e400 else body(output=1, seconds=seconds)
    result = decode(200, raw, invocation(1), elapsed=2.0)
    assert result.startup_seconds == startup


def test_start_up_is_unknown_where_the_agent_does_not_tell() -> None:
    assert decode(200, body(output=1), invocation(1), elapsed=2.0).startup_seconds is None
    assert decode(200, b"rubbish", invocation(1), elapsed=2.0).startup_seconds is None


def test_a_refused_bundle_is_told_in_the_agents_words() -> None:
    told = refused_bundle(507, body(error={"type": "bad_bundle", "message": "There is no space."}))
    assert (told.type, told.message) == ("bad_bundle", "There is no space.")
    for raw in (b"<html>", b"{}", body(error={"type": "x"}), body(error="no")):
        told = refused_bundle(502, raw)
        assert told.type == "bad_bundle"
        assert "502" in told.message


def test_replies() -> None:
    sent = orjson.loads(encode_reply("t", 7, {"result": {"a": None}}))
    assert sent == {"lease": "t", "id": 7, "result": {"a": None}}
    assert encode_reply("t", 7, {"result": 2**70}).endswith(b'"result": %d}' % 2**70)
    with pytest.raises(TypeError):
        encode_reply("t", 7, {"result": object()})


def test_an_error_object_counts_whatever_the_status() -> None:
    (result,) = decode(500, body(error={"type": "Boom", "message": "m"}), invocation(1)).results
    assert result.error is not None
    assert result.error.type == "Boom"


def test_refusals() -> None:
    assert refusal(409, body(error={"type": "code_missing"})) == "code_missing"
    assert refusal(409, b"nonsense") is None
    assert refusal(200, body(error={"type": "code_missing"})) is None


def test_code_is_told_by_its_hash_alone() -> None:
    sent = encode(invocation(1, runs=Code("h", "long")), lease="t", fence=1, with_source=False)
    assert b"long" not in sent
