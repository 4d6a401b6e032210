"""`aflow`: the platform from a terminal. Tables for people, `--json` for programs.

Exit codes: 0 done; 1 the platform refused, or the run failed; 2 wrong usage; 3 the platform cannot be
reached, or the token is missing or not accepted.
"""

from agentainer_flow.cli.main import main

__all__ = ["main"]
