"""The simulator: an arrival trace against any policy, under a virtual clock. Pure: seeds and clocks come from
outside.
"""
