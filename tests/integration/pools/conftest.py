from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from pools.runtime.memory import MemoryRuntime
from tests.fakes.pools import Plant


@pytest.fixture
async def plant() -> AsyncIterator[Plant]:
    """An installation on the in-memory runtime, whose agents end with the test."""
    runtime = MemoryRuntime()
    yield Plant(runtime)
    await runtime.close()
