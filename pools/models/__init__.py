from .agents import Agent, EndedAgents, PoolEpoch
from .pools import Pool, PoolShare, PoolUse

__all__ = ["Agent", "EndedAgents", "Pool", "PoolEpoch", "PoolShare", "PoolUse"]
