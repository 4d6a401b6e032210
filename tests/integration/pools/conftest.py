from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from django.db import connections

from pools.runtime.memory import MemoryRuntime
from tests.fakes.pools import Plant


@pytest.fixture
async def plant() -> AsyncIterator[Plant]:
    """An installation on the in-memory runtime, whose agents end with the test."""
    runtime = MemoryRuntime()
    yield Plant(runtime)
    await runtime.close()


@pytest.fixture
def brief_connections() -> Iterator[None]:
    """For tests that drive the site from threads of their own: none leaves its database connection behind."""
    options = connections.settings["default"]
    before, options["CONN_MAX_AGE"] = options["CONN_MAX_AGE"], 0
    yield
    options["CONN_MAX_AGE"] = before
