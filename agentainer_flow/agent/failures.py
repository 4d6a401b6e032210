"""What a body raised, as the error object of its answer: the traceback begins at the user's own code."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from types import TracebackType

MAX_TRACEBACK = 32 * 1024  # characters
MAX_MESSAGE = 8 * 1024

Owns = Callable[[str], bool]  # whether a file is the user's


def error(kind: str, message: str, trace: str | None = None) -> dict[str, dict[str, str | None]]:
    return {"error": {"type": kind, "message": message, "traceback": trace}}


def describe(exc: BaseException, owns: Owns) -> dict[str, dict[str, str | None]]:
    return error(type(exc).__qualname__, _message(exc), _trace(exc, owns))


def _message(exc: BaseException) -> str:
    try:
        return _shortened(str(exc), MAX_MESSAGE)
    except Exception as second:
        return f"(its text cannot be had: {type(second).__name__})"


def _trace(exc: BaseException, owns: Owns) -> str:
    try:
        for one in _related(exc):
            one.__traceback__ = _from_own_code(one.__traceback__, owns)
        return _shortened("".join(traceback.format_exception(exc)), MAX_TRACEBACK)
    except Exception:  # an exception class of the user's may break anything; its name is still worth having
        return f"{type(exc).__qualname__}\n"


def _related(exc: BaseException) -> Iterator[BaseException]:
    """It, its causes, and the members of groups; each once."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [exc]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions


def _from_own_code(trace: TracebackType | None, owns: Owns) -> TracebackType | None:
    while trace is not None and not owns(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


def _shortened(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    start = limit // 4
    return f"{text[:start]}\n[… {len(text) - limit} characters left out …]\n{text[start - limit :]}"
