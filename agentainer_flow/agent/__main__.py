"""`python -m agentainer_flow.agent`: the built-in agent."""

from agentainer_flow.agent import serve

if __name__ == "__main__":
    serve()
