from .agents import Agent, EndedAgents, PoolEpoch
from .deployments import DeployedAgent
from .node_groups import Machine, NodeGroup, NodeGroupDecision
from .nodes import Node
from .pools import Pool, PoolShare, PoolUse
from .requests import AgentRequest
from .usage import PoolUsage

__all__ = [
    "Agent",
    "AgentRequest",
    "DeployedAgent",
    "EndedAgents",
    "Machine",
    "Node",
    "NodeGroup",
    "NodeGroupDecision",
    "Pool",
    "PoolEpoch",
    "PoolShare",
    "PoolUsage",
    "PoolUse",
]
