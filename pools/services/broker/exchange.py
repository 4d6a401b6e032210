"""What goes to an agent and what comes back: pure encoding, by the agent contract.

Does not: open connections, cut streamed answers into lines (`lines` does), or decide what a failure means for
the lease.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from aflow_site.kernel.json import from_json, text_holds_nul
from aflow_site.kernel.spool import Spool
from pools.domain.json_pages import NotInPages, members
from pools.facade.contracts import (
    AgentError,
    Code,
    Command,
    Handler,
    Invocation,
    InvocationResult,
    ItemResult,
    LargeOutput,
    LogLine,
)

MAX_ANSWER_BYTES = 64 * 1024 * 1024


class BadAnswer(Exception):
    """The agent's answer cannot be used; the text says why."""


def runs_hash(runs: Code | Handler) -> str:
    """By which an agent knows what was sent to it before."""
    return runs.sha256 if isinstance(runs, Code) else f"{runs.bundle_sha256}"


def encode(invocation: Invocation, *, lease: str, fence: int, with_source: bool) -> bytes:
    """The body of POST /invoke. At the deadline an agent stops the body by itself.

    It is told twice: as wall time, for whoever wants to know it, and as seconds from now, which hold when the
    clocks of the two machines differ or one is set.
    """
    seconds = invocation.timeout
    told = {"lease": lease, "fence": fence, "deadline": time.time() + seconds, "timeout": seconds}
    body: dict[str, Any] = {"context": {**invocation.context, **told}}
    runs = invocation.runs
    if not invocation.batch:
        body["input"] = invocation.inputs[0]
    elif runs is None:
        body["input"] = {"items": list(invocation.inputs)}
    else:
        body["inputs"] = list(invocation.inputs)
    if isinstance(runs, Code):
        body["runs"] = {"code": runs.sha256}
        if with_source:
            body["source"] = runs.source
    elif isinstance(runs, Handler):
        body["runs"] = {"handler": runs.target, "bundle": runs.bundle_sha256}
    elif isinstance(runs, Command):
        body["runs"] = {"command": runs.words}
    return _dumps(body)


def encode_reply(lease: str, number: int, reply: Mapping[str, Any]) -> bytes:
    """The body of POST /reply; `reply` has "result", or "error" with its "type" and "message".

    Raises `TypeError` or `ValueError` for a result without a JSON form.
    """
    return _dumps({"lease": lease, "id": number, **reply})


def _dumps(body: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # Whole numbers beyond 64 bits, which orjson refuses and JSON allows.
        return json.dumps(body).encode()


def refusal(status: int, body: bytes) -> str | None:
    """The type of a 409 (code_missing, bundle_missing, stale_fence …) or 503 (shutting_down …), else None."""
    if status not in (409, 503):
        return None
    try:
        return str(orjson.loads(body)["error"]["type"])
    except (ValueError, KeyError, TypeError):
        return None


def refused_bundle(status: int, body: bytes) -> AgentError:
    """Why an upload was not taken, in the agent's own words if it has any."""
    try:
        told = read_object(body, status).get("error")
    except BadAnswer:
        told = None
    if isinstance(told, dict) and told.get("message"):
        return error_of(told)
    return AgentError("bad_bundle", f"The agent refused the bundle, with status {status}.")


def decode(
    status: int, body: bytes | Spool, invocation: Invocation, elapsed: float | None = None
) -> InvocationResult:
    """The result of an answer in one piece. An unusable one is an error of type `bad_answer` for each input.
    `elapsed`: seconds that the request took."""
    try:
        answer = read_large(body, status) if isinstance(body, Spool) else read_object(body, status)
        return result_of(answer, status, invocation, elapsed)
    except BadAnswer as exc:
        return all_failed(invocation, AgentError("bad_answer", str(exc)))


def result_of(
    answer: Mapping[str, Any], status: int, invocation: Invocation, elapsed: float | None
) -> InvocationResult:
    """One `ItemResult` for each input. Raises `BadAnswer`."""
    return InvocationResult(
        _results(answer, status, invocation), startup_seconds=_startup(answer.get("seconds"), elapsed)
    )


def _startup(seconds: Any, elapsed: float | None) -> float | None:
    """What is left of the request's time without that of its bodies, which the agent tells."""
    if elapsed is None or isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    if not 0 <= seconds < math.inf:
        return None
    return max(0.0, elapsed - seconds)


def all_failed(invocation: Invocation, error: AgentError, logs: tuple[LogLine, ...] = ()) -> InvocationResult:
    return InvocationResult((ItemResult(error=error),) * len(invocation.inputs), logs)


def read_object(raw: bytes, status: int) -> Mapping[str, Any]:
    """Raises `BadAnswer`."""
    try:
        answer = from_json(raw)
    except (ValueError, RecursionError) as exc:
        text = raw[:200].decode("utf-8", "replace")
        raise BadAnswer(f"The agent answered with status {status} and no JSON: {text!r}.") from exc
    if not isinstance(answer, dict):
        raise BadAnswer(f"The agent answered with a JSON {type(answer).__name__}; an object is needed.")
    return answer


def read_large(spool: Spool, status: int) -> Mapping[str, Any]:
    """Like `read_object`, with a `LargeOutput` for its "output". What cannot be read in pages is read as a
    whole, which also tells what is wrong with it. Raises `BadAnswer`."""
    try:
        return {
            key: _large_output(parts) if key == "output" else from_json(b"".join(parts))
            for key, parts in members(spool.rewind())
        }
    except (NotInPages, RecursionError):
        return read_object(spool.rewind().read(), status)


def _large_output(parts: Iterator[bytes]) -> LargeOutput:
    text, has_nul = Spool(), False
    for part in parts:
        has_nul = has_nul or text_holds_nul(part)
        text.write(part)
    return LargeOutput(text, has_nul)


def _results(answer: Mapping[str, Any], status: int, invocation: Invocation) -> tuple[ItemResult, ...]:
    if answer.get("error") is not None:
        return (ItemResult(error=error_of(answer["error"])),) * len(invocation.inputs)
    if status >= 300:
        raise BadAnswer(f"The agent answered with status {status} and no error object.")
    if not invocation.batch:
        if "output" not in answer:
            raise BadAnswer('The agent\'s answer has no "output".')
        return (ItemResult(output=answer["output"]),)
    if invocation.runs is None:
        outputs = answer.get("output")
        _check_length(outputs, invocation, "output")
        return tuple(ItemResult(output=output) for output in outputs or ())
    entries = answer.get("outputs")
    _check_length(entries, invocation, "outputs")
    return tuple(_item(entry) for entry in entries or ())


def _check_length(values: Any, invocation: Invocation, name: str) -> None:
    wanted = len(invocation.inputs)
    if not isinstance(values, list) or len(values) != wanted:
        got = f"{len(values)} elements" if isinstance(values, list) else type(values).__name__
        raise BadAnswer(f'A batch of {wanted} needs "{name}" to be a list of {wanted}; it is {got}.')


def _item(entry: Any) -> ItemResult:
    if not isinstance(entry, dict):
        return ItemResult(error=AgentError("bad_answer", 'An element of "outputs" is not an object.'))
    if entry.get("error") is not None:
        return ItemResult(error=error_of(entry["error"]))
    return ItemResult(output=entry.get("output"))


def error_of(value: Any) -> AgentError:
    """Never raises: what is amiss is replaced."""
    if not isinstance(value, dict):
        return AgentError("error", str(value))
    traceback = value.get("traceback")
    return AgentError(
        type=str(value.get("type") or "error"),
        message=str(value.get("message") or ""),
        traceback=str(traceback) if traceback else None,
    )
