"""`python -m agentainer_flow.cli`: the same as `aflow`."""

import sys

from agentainer_flow.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
