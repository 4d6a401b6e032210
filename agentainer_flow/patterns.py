"""Several steps written as one."""

from agentainer_flow.sdk.mapreducing import mapreduce

__all__ = ["mapreduce"]
