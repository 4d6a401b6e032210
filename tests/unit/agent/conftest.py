"""One running agent per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.agent.running import RunningAgent, agent_in


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[RunningAgent]:
    with agent_in(tmp_path) as running:
        yield running
