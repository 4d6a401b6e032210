"""A streaming reduce in Python: it starts with the parallel step and takes results as they come, telling how
far it is (see running-total.yaml).

    ./aflow workflow create examples/sdk_running_total.py
    ./aflow workflow run running-total-py --param items=100 --wait
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from agentainer_flow import Context, step, workflow

PARAMS = {
    "type": "object",
    "properties": {
        "items": {"type": "integer", "title": "Items", "default": 40, "minimum": 1, "maximum": 5000}
    },
    "additionalProperties": False,
}


@workflow(name="running-total-py", description="Adds results up while the map still runs", params=PARAMS)
class RunningTotal:
    @step
    def numbers(self, ctx: Context, items: int) -> list[int]:
        return list(range(1, items + 1))

    @step(parallel=True, batch_size=2, pool_config={"size": 4, "warm_up": True})
    def work(self, ctx: Context, number: int) -> int:
        time.sleep(0.05)
        return number * number

    @step(reduce=True, streaming=True)
    def total(self, ctx: Context, results: Iterator[int]) -> dict[str, int]:
        total = seen = 0
        for result in results:
            total += result
            seen += 1
            ctx.emit_progress({"seen": seen, "total": total})
        return {"seen": seen, "total": total}
