"""Capacity over time: policies, decisions, forecasts and budgets, applied through `pools.facade`.

Nothing is decided here yet: a pool without a policy follows its demand between `min_size` and `max_size`
(`pools.domain.sizing`).
"""
