"""What goes to an agent and what comes back: pure encoding, by the agent contract.

Does not: open connections, or decide what a failure means for the lease.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from pools.facade.contracts import (
    AgentError,
    Code,
    Handler,
    Invocation,
    InvocationResult,
    ItemResult,
    LogLine,
)

MAX_ANSWER_BYTES = 64 * 1024 * 1024
LATEST = 2**33  # seconds since 1970: the year 2242
MOST_ITEMS = 2**31
_LONG_NUMBER = re.compile(rb"[0-9]{19}")


class BadAnswer(Exception):
    """The agent's answer cannot be used; the text says why."""


def runs_hash(runs: Code | Handler) -> str:
    return runs.sha256 if isinstance(runs, Code) else f"{runs.bundle_sha256}"


def encode(invocation: Invocation, *, lease: str, fence: int, with_source: bool) -> bytes:
    """The body of POST /invoke. At the deadline (wall time) an agent stops the body by itself."""
    told = {"lease": lease, "fence": fence, "deadline": time.time() + invocation.timeout}
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
    try:
        return orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # Whole numbers beyond 64 bits, which orjson refuses and JSON allows.
        return json.dumps(body).encode()


def refusal(status: int, body: bytes) -> str | None:
    """The type of a 409 (code_missing, bundle_missing, stale_fence …), else None."""
    if status != 409:
        return None
    try:
        return str(orjson.loads(body)["error"]["type"])
    except (ValueError, KeyError, TypeError):
        return None


def decode(status: int, content_type: str, body: bytes, invocation: Invocation) -> InvocationResult:
    """One `ItemResult` for each input. An unusable answer is an error of type `bad_answer` for each."""
    logs: tuple[LogLine, ...] = ()
    try:
        if content_type.startswith("application/x-ndjson"):
            answer, logs = _from_lines(body)
        else:
            answer = _object(body, status)
        return InvocationResult(_results(answer, status, invocation), logs)
    except BadAnswer as exc:
        return all_failed(invocation, AgentError("bad_answer", str(exc)), logs)


def all_failed(invocation: Invocation, error: AgentError, logs: tuple[LogLine, ...] = ()) -> InvocationResult:
    return InvocationResult((ItemResult(error=error),) * len(invocation.inputs), logs)


def _object(raw: bytes, status: int) -> Mapping[str, Any]:
    try:
        # orjson would round whole numbers beyond 64 bits.
        answer = json.loads(raw) if _LONG_NUMBER.search(raw) else orjson.loads(raw)
    except (ValueError, RecursionError) as exc:
        text = raw[:200].decode("utf-8", "replace")
        raise BadAnswer(f"The agent answered with status {status} and no JSON: {text!r}.") from exc
    if not isinstance(answer, dict):
        raise BadAnswer(f"The agent answered with a JSON {type(answer).__name__}; an object is needed.")
    return answer


def _from_lines(body: bytes) -> tuple[Mapping[str, Any], tuple[LogLine, ...]]:
    lines = [line for line in body.splitlines() if line.strip()]
    if not lines:
        raise BadAnswer("The agent's answer was empty.")
    logs = []
    for raw in lines[:-1]:
        entry = _object(raw, 200).get("log")
        if isinstance(entry, dict):
            logs.append(_log_line(entry))
    last = _object(lines[-1], 200)
    if "log" in last or "progress" in last:
        raise BadAnswer("The agent's answer broke off before its result.")
    return last, tuple(logs)


def _log_line(entry: Mapping[str, Any]) -> LogLine:
    """Never raises: what a field says amiss is replaced, because a log line is no reason to fail a step."""
    at, item = entry.get("at"), entry.get("item")
    if isinstance(at, int | float) and 0 <= at < LATEST:
        moment = datetime.fromtimestamp(at, UTC)
    else:
        moment = datetime.now(UTC)
    return LogLine(
        at=moment,
        stream=str(entry.get("stream", "log")),
        text=str(entry.get("text", "")),
        item=item if type(item) is int and 0 <= item < MOST_ITEMS else 0,
    )


def _results(answer: Mapping[str, Any], status: int, invocation: Invocation) -> tuple[ItemResult, ...]:
    if answer.get("error") is not None:
        return (ItemResult(error=_error(answer["error"])),) * len(invocation.inputs)
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
        return ItemResult(error=_error(entry["error"]))
    return ItemResult(output=entry.get("output"))


def _error(value: Any) -> AgentError:
    if not isinstance(value, dict):
        return AgentError("error", str(value))
    traceback = value.get("traceback")
    return AgentError(
        type=str(value.get("type") or "error"),
        message=str(value.get("message") or ""),
        traceback=str(traceback) if traceback else None,
    )
