"""Which pool a step runs on, and what its own pool is to look like."""

from __future__ import annotations

from dataclasses import dataclass

from workflows.domain.document import Document, MapStep, PoolOptions, ReduceStep, TaskStep

DEFAULT_OWN_SIZE = 5


@dataclass(frozen=True, slots=True)
class OwnPool:
    """A pool that the document asks for; None keeps the pools' default."""

    name: str
    image: str | None
    min_size: int
    max_size: int
    warm_up: bool
    max_uses: int | None
    idle_timeout: float | None


def named_pool(document: Document, step: TaskStep | MapStep | ReduceStep) -> str | None:
    """The name of an existing pool that the step (or the defaults) asks for."""
    if isinstance(step.pool, str):
        return step.pool
    return document.defaults.pool if step.pool is None else None


def own_pool(document: Document, step: TaskStep | MapStep | ReduceStep) -> OwnPool | None:
    """The pool `<workflow>-<step>` of a step with a pool object.

    `size` is both bounds of a warm pool; a pool that is not warmed up may shrink to nothing. `mode: standard`
    is a pool whose agents are used once.
    """
    options = step.pool
    if not isinstance(options, PoolOptions):
        return None
    standard = options.mode == "standard"
    high = options.max_size or options.size or max(DEFAULT_OWN_SIZE, options.min_size or 0)
    warm = options.warm_up if options.warm_up is not None else not standard and options.size is not None
    low = options.min_size
    if low is None:
        low = high if warm and options.size is not None else 0
    return OwnPool(
        name=f"{document.name}-{step.id}".lower(),
        image=step.run.image,
        min_size=low,
        max_size=high,
        warm_up=warm,
        max_uses=1 if standard else options.max_uses,
        idle_timeout=options.idle_timeout,
    )
