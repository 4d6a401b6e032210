"""What an agent is told from outside: its environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """`port` 0 takes any free port. An empty `token` lets everybody in; an empty `port_file` writes none."""

    host: str = "0.0.0.0"
    port: int = 8000
    port_file: str = ""
    token: str = ""
    agent_id: str = ""
    pool: str = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Raises `ValueError` when AGENTAINER_PORT is not a port."""
        env = os.environ if env is None else env
        text = env.get("AGENTAINER_PORT") or "8000"
        if not text.isascii() or not text.isdigit() or int(text) > 65535:
            raise ValueError(f"AGENTAINER_PORT must be a number from 0 to 65535; it is {text!r}.")
        return cls(
            host=env.get("AGENTAINER_HOST") or "0.0.0.0",
            port=int(text),
            port_file=env.get("AGENTAINER_PORT_FILE", ""),
            token=env.get("AGENTAINER_TOKEN", ""),
            agent_id=env.get("AGENTAINER_AGENT_ID", ""),
            pool=env.get("AGENTAINER_POOL", ""),
        )
