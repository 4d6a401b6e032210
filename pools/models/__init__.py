from .agents import Agent, PoolEpoch
from .pools import Pool

__all__ = ["Agent", "Pool", "PoolEpoch"]
