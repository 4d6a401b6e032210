from __future__ import annotations

import asyncio
import gc
from uuid import uuid4

import pytest

from pools.runtime.base import AgentSpec
from pools.runtime.memory import MemoryRuntime


@pytest.mark.parametrize("turns", range(12))
def test_a_creation_that_is_broken_off_leaves_no_socket(turns: int) -> None:
    """After so many turns of the loop. One that is left warns when it is collected; warnings are errors."""

    async def break_off() -> None:
        runtime = MemoryRuntime()
        spec = AgentSpec(uuid4(), uuid4(), "p", "echo", "n", epoch=1, token="t")
        creation = asyncio.create_task(runtime.create(spec))
        for _ in range(turns):
            await asyncio.sleep(0)
        creation.cancel()
        await asyncio.gather(creation, return_exceptions=True)
        await runtime.close()

    asyncio.run(break_off())
    gc.collect()
