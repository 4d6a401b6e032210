"""Several steps written as one, as attributes of a workflow class:

words = mapreduce(over=texts, mapper=count, reducer=add_up)      # also as a decorator of a method
thumbnails = batch_process("thumbnailer:2", over=pictures, batch_size=50)
report = pipeline(fetch, "cleaner:1", publish)
opinions = scatter_gather("left:1", "right:1", gather=compare)
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from agentainer_flow.sdk.bodiless import Steps
from agentainer_flow.sdk.groups import pipeline, scatter_gather
from agentainer_flow.sdk.mapreducing import MapReduce, Worker, mapreduce
from agentainer_flow.sdk.options import Condition, Duration, ErrorHandler, PoolConfig, RetryPolicy
from agentainer_flow.sdk.parts import StepLike
from agentainer_flow.sdk.sourcing import Source

__all__ = ["batch_process", "mapreduce", "pipeline", "scatter_gather"]


def batch_process(
    processor: Worker,
    *,
    over: StepLike | list[Any] | None = None,
    source: str | PurePath | list[Any] | Source | None = None,
    batch_size: int = 100,
    pool_size: int | None = None,
    pool_config: PoolConfig | None = None,
    max_parallel: int | None = None,
    timeout: Duration | None = None,
    retry_policy: RetryPolicy | None = None,
    error_strategy: str | ErrorHandler | None = None,
    min_success_rate: float | None = None,
    name: str | None = None,
    depends_on: Steps | None = None,
    when: Condition | None = None,
    always_run: bool = False,
) -> MapReduce:
    """Calls the processor for each element of a list, `batch_size` of them in one call to an agent.

    The output is the list of what it gave. An image gets {"items": […]} and answers with a list as long; a
    method or a function still gets one element at a time. All arguments are those of `mapreduce`, of which
    this is the half without a reducer; it decorates a method as that does. Raises DefinitionError.
    """
    return mapreduce(
        mapper=processor,
        over=over,
        source=source,
        batch_size=batch_size,
        pool_size=pool_size,
        pool_config=pool_config,
        max_parallel=max_parallel,
        timeout=timeout,
        retry_policy=retry_policy,
        error_strategy=error_strategy,
        min_success_rate=min_success_rate,
        name=name,
        depends_on=depends_on,
        when=when,
        always_run=always_run,
    )
