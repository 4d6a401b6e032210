from .agents import Agent, EndedAgents, PoolEpoch
from .nodes import Node
from .pools import Pool, PoolUse

__all__ = ["Agent", "EndedAgents", "Node", "Pool", "PoolEpoch", "PoolUse"]
