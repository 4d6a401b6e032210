"""`aflow`: the platform from a terminal. Tables for people, `--json` for programs.

Exit codes: see `cli.main.EXIT_CODES`.
"""

from agentainer_flow.cli.main import main

__all__ = ["main"]
