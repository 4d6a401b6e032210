from .agents import Agent, EndedAgents, PoolEpoch
from .pools import Pool

__all__ = ["Agent", "EndedAgents", "Pool", "PoolEpoch"]
