"""The built-in Python agent, and what it takes to write one:

    from agentainer_flow.agent import serve

    def handle(input, context):
        return {"hello": input["name"]}

    serve(handle)

While a body runs it may tell its `progress`, and `call` the executor; `ResultStream(call)` iterates over the
results of the step before. Needs Python's standard library alone, and nothing else of this package.
Does not: isolate a body from its agent's files; containers do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from agentainer_flow.agent.results import ResultStream
from agentainer_flow.agent.serving import run
from agentainer_flow.agent.settings import Settings
from agentainer_flow.agent.talk import CallFailed, call, progress

__all__ = ["CallFailed", "ResultStream", "call", "progress", "serve"]


def serve(handle: Callable[[Any, dict[str, Any]], Any] | None = None) -> None:
    """Serves the agent contract until SIGTERM; then finishes the running request and exits the process.

    `handle(input, context)` may be async; it gets the request's `input` (any JSON value) and the context
    (`run_id`, `step_id`, `item_index`, `attempt`, `deadline`, `timeout`, `lease`, `fence`), and returns a
    JSON value. It runs in a worker process that is forked from this one now: what is loaded by now is
    shared, while connections are best opened inside `handle`. Without a handle it is the built-in agent,
    which runs the code that comes with each request. The environment's AGENTAINER_HOST, _PORT, _PORT_FILE
    and _TOKEN count.
    """
    try:
        code = run(Settings.from_env(), handle)
    except (OSError, ValueError) as exc:
        sys.exit(f"The agent cannot start: {exc}")
    sys.exit(code)
