"""How the pools are called that a document's steps use."""

from __future__ import annotations

from pools.facade import api as pools
from pools.facade.contracts import AgentKind
from workflows.domain.pools import OwnPool, PoolUse


def name_of(use: PoolUse) -> str:
    """Saving the workflow made the pool; this tells only its name."""
    if use.own is not None:
        return use.own.name
    return use.named or pools.default_pool_name(kind_of_use(use))


def kind_of_use(use: PoolUse | OwnPool) -> AgentKind:
    """The built-in agent takes commands as it is, named or not."""
    return AgentKind(use.image, use.commands and use.image != pools.BUILT_IN_IMAGE, use.requirements)
