from .agents import Agent, EndedAgents, PoolEpoch
from .deployments import DeployedAgent
from .nodes import Node
from .pools import Pool, PoolShare, PoolUse
from .requests import AgentRequest
from .usage import PoolUsage

__all__ = [
    "Agent",
    "AgentRequest",
    "DeployedAgent",
    "EndedAgents",
    "Node",
    "Pool",
    "PoolEpoch",
    "PoolShare",
    "PoolUsage",
    "PoolUse",
]
