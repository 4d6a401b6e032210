"""The pools that a workflow's steps need: their names, and making them when the workflow is saved."""

from __future__ import annotations

from collections.abc import Iterator

from aflow_site.kernel.errors import Fault, FlowError
from pools.facade import api as pools
from pools.facade.contracts import AgentKind, PoolSpec
from workflows.domain.document import Document
from workflows.domain.pools import OwnPool, PoolUse, pool_use, pool_uses
from workflows.domain.steps import AnyStep, CallingStep, Run
from workflows.selectors.pool_names import kind_of_use, name_of


def pool_name(document: Document, step: CallingStep, run: Run) -> str:
    """Saving the workflow made the pool; this tells only its name."""
    return name_of(pool_use(document, step, run))


def reading_pool(document: Document, step: CallingStep) -> str:
    """The pool whose agents read the step's source, when that names none: the one that the step names or
    has, where its mapper's agents are built-in ones, else what steps have that say nothing of agents. The
    pool of a list of requirements reaches nothing outside."""
    mapper = step.runs[0]
    if mapper.image is None and (step.pool is not None or not mapper.requirements):
        return pool_name(document, step, mapper)
    return document.defaults.pool or pools.default_pool_name(AgentKind(None))


def first_pool_name(document: Document, step: AnyStep) -> str:
    """The pool that the step's row names; empty for steps that call no agent."""
    uses = pool_uses(document, step)
    return name_of(uses[0]) if uses else ""


def kind_of(run: Run) -> AgentKind:
    """The agents that the behaviour needs."""
    return kind_of_use(PoolUse(run.image, run.needs_agent, requirements=run.packages))


def _spec(own: OwnPool) -> PoolSpec:
    return PoolSpec(
        name=own.name,
        image=own.image,
        commands=kind_of_use(own).commands,
        requirements=own.requirements,
        min_size=own.min_size,
        max_size=own.max_size,
        warm_up=own.warm_up,
        max_uses=own.max_uses,
        idle_timeout=own.idle_timeout,
        capacity_type=own.capacity_type,
        zone=own.zone,
        env=own.env,
        cpu=own.cpu,
        memory=own.memory,
        pids=own.pids,
    )


def pool_faults(team_id: int, document: Document) -> Iterator[Fault]:
    """What keeps the document's pools from being used or made in this team."""
    known = {pool.name: pool for pool in pools.list_pools(team_id)}
    for path, step in document.all_steps():
        for use in pool_uses(document, step):
            if use.own is not None:
                yield from _faults_of(team_id, document, f"{path}.pool", step, _spec(use.own))
            elif use.named is not None:
                here = f"{path}.pool" if getattr(step, "pool", None) else "defaults.pool"
                pool = known.get(use.named)
                if pool is None:
                    there = ", ".join(sorted(known)) or "none yet"
                    yield Fault(here, f"There is no pool {use.named}; there is {there}.", step.id)
                elif not pool.serves(kind_of_use(use)):
                    sentence = f"Pool {use.named} runs {pool.kind}; this step needs {kind_of_use(use)}."
                    if use.requirements:
                        sentence += f" Leave pool out, or give {use.named} these requirements."
                    yield Fault(here, sentence, step.id)
            elif use.requirements:
                spec = pools.shared_spec(kind_of_use(use))
                yield from _faults_of(team_id, document, f"{path}.run", step, spec, own=False)


def _faults_of(
    team_id: int, document: Document, path: str, step: AnyStep, spec: PoolSpec, *, own: bool = True
) -> Iterator[Fault]:
    """What keeps the pool from being made. `own`: it is to be the step's."""
    try:
        pools.check_pool(team_id, spec, workflow=document.name if own else None)
    except FlowError as exc:
        if not exc.faults:
            yield Fault(path, exc.detail, step.id)
        for fault in exc.faults:
            yield Fault(f"{path}.{fault.path}", fault.message, step.id)


def make_pools(team_id: int, document: Document) -> None:
    """Makes or updates the pools of the document's steps, and ends those of steps that it no longer has.

    Part of the transaction that saves the version.
    """
    make_trial_pools(team_id, document)
    uses = _uses(document)
    end_pools(team_id, document.name, keep={use.own.name for use in uses if use.own is not None})
    pools.note_uses(team_id, document.name, {name_of(use) for use in uses})


def make_trial_pools(team_id: int, document: Document) -> None:
    """The pools of a step that is tried before its workflow is saved; no pool of the workflow ends."""
    for use in _uses(document):
        if use.own is not None:
            pools.ensure_pool(team_id, _spec(use.own), workflow=document.name)
        elif use.named is None:
            pools.ensure_shared_pool(team_id, kind_of_use(use))


def _uses(document: Document) -> list[PoolUse]:
    """Each once: thousands of steps may share a pool."""
    uses = (use for _path, step in document.all_steps() for use in pool_uses(document, step))
    return list(dict.fromkeys(uses))


def end_pools(team_id: int, workflow: str, *, keep: set[str] | None = None) -> None:
    """Deletes the workflow's own pools, save those to `keep`: leases that run finish first."""
    for pool in pools.list_pools(team_id):
        mine = pool.team_id == team_id and pool.workflow == workflow
        if mine and pool.name not in (keep or set()):
            pools.delete_pool(team_id, pool.name)
