"""Counts words on warm agents: a workflow as plain Python.

    ./aflow workflow create examples/sdk_word_count.py
    ./aflow workflow run word-count-py --param most=5 --wait

The methods run in agents, in the order in which they are written. Where the package is installed, the script
itself deploys and runs it too.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from agentainer_flow import Context, RetryPolicy, WorkflowClient, step, workflow

TEXTS = [
    "the quick brown fox jumps over the lazy dog",
    "the dog sleeps and the fox runs",
    "a lazy afternoon for a quick nap",
]


@workflow(
    name="word-count-py",
    description="Counts the words of some texts, each on a warm agent",
    params={
        "type": "object",
        "properties": {
            "texts": {"type": "array", "items": {"type": "string"}, "default": TEXTS, "title": "Texts"},
            "most": {"type": "integer", "minimum": 1, "default": 3, "title": "How many words to name"},
        },
    },
    retry_policy=RetryPolicy(max_attempts=3),
)
class WordCount:
    @step()
    def texts(self, ctx: Context, texts: list[str] = TEXTS) -> list[str]:
        ctx.log(f"{len(texts)} texts")
        return texts

    @step(
        parallel=True,
        pool_config={"mode": "pooled", "size": 3, "warm_up": True, "max_uses": 1000, "idle_timeout": 300},
    )
    def count(self, ctx: Context, text: str) -> dict[str, int]:
        return Counter(re.findall(r"[a-z]+", text.lower()))

    @step(reduce=True)
    async def total(self, ctx: Context, counts: list[dict[str, int]]) -> dict[str, Any]:
        words: Counter[str] = Counter()
        for count in counts:
            words.update(count)
        most = sorted(words.items(), key=lambda pair: (-pair[1], pair[0]))[: ctx.params.get("most", 3)]
        return {"words": words.total(), "most_frequent": [{"word": word, "count": n} for word, n in most]}


if __name__ == "__main__":
    with WorkflowClient() as client:
        execution = client.run(WordCount, {"most": 5})
        print(f"run {execution.id}: {execution.state}")
        print(execution.result())
