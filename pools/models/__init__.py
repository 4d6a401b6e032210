from .agents import Agent, EndedAgents, PoolEpoch
from .pools import Pool, PoolUse

__all__ = ["Agent", "EndedAgents", "Pool", "PoolEpoch", "PoolUse"]
