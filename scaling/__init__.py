"""Capacity over time: policies and decisions, applied through `pools.facade`; and the simulator."""
