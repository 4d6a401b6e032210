"""Workflows as plain Python classes: decorators, and their compilation to the workflow document.

Does not: talk to a server (`agentainer_flow.client` does), or need more than the standard library.
"""
