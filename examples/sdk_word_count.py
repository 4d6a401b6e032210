"""Counts words with the SDK: a list of texts, one agent call for each, and one that adds up.

./aflow up --detach
python examples/sdk_word_count.py          (with AGENTAINER_URL and AGENTAINER_TOKEN, or in the checkout)
"""

from __future__ import annotations

import re
from collections import Counter

from agentainer_flow import Context, RetryPolicy, WorkflowClient, step, workflow

POEM = """Two roads diverged in a yellow wood,
And sorry I could not travel both
And be one traveler, long I stood
And looked down one as far as I could"""


@workflow(
    description="Counts the words of a text, line by line",
    params={"type": "object", "properties": {"text": {"type": "string", "default": POEM}}},
)
class WordCount:
    @step
    def split(self, ctx: Context, text: str) -> list[str]:
        lines = text.splitlines()
        ctx.log(f"{len(lines)} lines")
        return lines

    @step(parallel=True, pool_config={"mode": "pooled", "size": 2, "warm_up": True, "idle_timeout": 300})
    def count(self, ctx: Context, line: str) -> dict[str, int]:
        return Counter(re.findall(r"\w+", line.lower()))

    @step(reduce=True, retry_policy=RetryPolicy(max_attempts=2))
    async def total(self, ctx: Context, counts: list[dict[str, int]]) -> dict[str, int]:
        words: Counter[str] = Counter()
        for line in counts:
            words.update(line)
        return dict(words.most_common(5))


if __name__ == "__main__":
    execution = WorkflowClient().run(WordCount)
    print(execution.result())
