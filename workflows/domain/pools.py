"""Which pools a step runs on, and what its own pool is to look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from workflows.domain.document import Document, Scaling
from workflows.domain.steps import AnyStep, CallingStep, PoolOptions, Run

DEFAULT_OWN_SIZE = 5


@dataclass(frozen=True, slots=True)
class OwnPool:
    """A pool that the document asks for; None keeps the pools' default."""

    name: str
    image: str | None
    commands: bool
    requirements: tuple[str, ...]
    min_size: int
    max_size: int
    warm_up: bool
    max_uses: int | None
    idle_timeout: float | None
    capacity_type: str | None
    zone: str | None
    env: Mapping[str, str] | None = field(default=None, hash=False)
    cpu: float | None = None
    memory: int | None = None  # bytes
    pids: int | None = None


@dataclass(frozen=True, slots=True)
class PoolUse:
    """The pool of one of a step's behaviours: its own, a named one, or else the image's shared one."""

    image: str | None
    commands: bool
    named: str | None = None
    own: OwnPool | None = None
    requirements: tuple[str, ...] = ()


def pool_uses(document: Document, step: AnyStep) -> tuple[PoolUse, ...]:
    """One use for each behaviour of the step; none for steps that call no agent."""
    if not isinstance(step, CallingStep):
        return ()
    return tuple(pool_use(document, step, run) for run in step.runs)


def pool_use(document: Document, step: CallingStep, run: Run) -> PoolUse:
    """A reducer with another image or other requirements than its mapper's does not fit on the step's pool,
    and gets the shared one."""
    first = step.runs[0]
    use = PoolUse(run.image, run.needs_agent, requirements=run.packages)
    if (use.image, use.commands, use.requirements) != (first.image, first.needs_agent, first.packages):
        return use
    return replace(use, named=named_pool(document, step), own=own_pool(document, step))


def named_pool(document: Document, step: CallingStep) -> str | None:
    """The existing pool that the step asks for, or that the defaults do for steps of the built-in agent as it
    is."""
    if isinstance(step.pool, str):
        return step.pool
    first = step.runs[0]
    fits = step.pool is None and first.image is None and not first.requirements
    return document.defaults.pool if fits else None


def own_pool(document: Document, step: CallingStep) -> OwnPool | None:
    """The pool `<workflow>-<step>` of a step with a pool object.

    `size` is both bounds of a warm pool; a pool that is not warmed up may shrink to nothing, and one that is,
    without a lower bound, keeps all of its agents warm. `mode: standard` is a pool whose agents are used
    once. Where the step says nothing of the size, the document's `scaling` does.
    """
    options = step.pool
    if not isinstance(options, PoolOptions):
        return None
    standard = options.mode == "standard"
    wanted = document.scaling or Scaling()
    high = options.max_size or options.size or wanted.max or max(DEFAULT_OWN_SIZE, options.min_size or 0)
    warm = options.warm_up if options.warm_up is not None else not standard and options.size is not None
    low = options.min_size
    if low is None and options.size is None and wanted.min is not None:
        low = min(wanted.min, high)
    if low is None:
        low = high if warm else 0
    return OwnPool(
        name=f"{document.name}-{step.id}".lower(),
        image=step.runs[0].image,
        commands=step.runs[0].needs_agent,
        requirements=step.runs[0].packages,
        min_size=low,
        max_size=high,
        warm_up=warm,
        max_uses=1 if standard else options.max_uses,
        idle_timeout=options.idle_timeout,
        capacity_type=options.capacity_type,
        zone=options.zone,
        env=options.env,
        cpu=options.cpu,
        memory=options.memory,
        pids=options.pids,
    )
