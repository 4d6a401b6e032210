"""Every error that the API answers with: its code and HTTP status."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from aflow_site.kernel.errors import FlowError
from handbook.reference.tables import table

# They know all the others.
_DOORS = ("aflow_site.urls", "workflows.engine.driver", "aflow_site.supervision.troubles")
HEAD = """# Errors

## Of the API

Every error is a problem document ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)):
`{"type", "title", "status", "detail", "code", "errors"}`. `detail` is a sentence on what is wrong and what
to do. `errors` lists each fault of a document or a body as `{"path", "message", "step"}`, all at once.
Programs go by `code`, which does not change.

"""
TAIL = """
## Of the SDK

Errors of the client and of local runs are subclasses of `FlowError`: see [Errors](client.md#errors).

## Of a run

A run that failed has `error`: `{"type", "message", "step", "traceback"}`. `type` is the class of the
exception that the body raised, such as `ValueError`, or one of the platform's own:

| type | when |
| --- | --- |
| `timeout` | an attempt, a step or the run took longer than its time-out |
| `command_failed` | a command ended with an exit code other than 0 |
| `agent_lost` | the agent died, or its answer never came; the attempt is made again |
| `dead_letter` | the body took three agents with it, one after the other |
| `no_agent` | a local run asked an image for which the test has no mock |
"""


def page() -> str:
    rows = sorted({(f"`{one.code}`", str(one.status), one.title) for one in kinds()})
    return HEAD + table(("code", "status", "title"), rows) + TAIL


def kinds() -> list[type[FlowError]]:
    for door in _DOORS:
        import_module(door)
    return [FlowError, *_below(FlowError)]


def _below(kind: type[FlowError]) -> Iterator[type[FlowError]]:
    for one in kind.__subclasses__():
        if not one.__name__.startswith("_"):
            yield one
        yield from _below(one)
