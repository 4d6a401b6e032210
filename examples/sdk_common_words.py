"""Map and reduce as one step in Python, over the modules of the standard library inside the agent's image
(see word-count.yaml).

    ./aflow workflow create examples/sdk_common_words.py
    ./aflow workflow run common-words-py --param modules=20 --wait
"""

from __future__ import annotations

import ast
import re
import sysconfig
from collections import Counter
from pathlib import Path
from typing import Any

from agentainer_flow import Context, mapreduce, step, workflow

PARAMS = {
    "type": "object",
    "properties": {
        "modules": {"type": "integer", "title": "Modules", "default": 60, "minimum": 1, "maximum": 200}
    },
    "additionalProperties": False,
}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def count_words(path: str) -> dict[str, int]:
    """How often each word stands in the module's documentation strings."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8", errors="replace"))
    texts = (ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, DOCUMENTED))
    return dict(Counter(re.findall(r"[a-z]{4,}", " ".join(texts).lower())).most_common(200))


@workflow(
    name="common-words-py",
    description="The most frequent words of the standard library's documentation strings",
    params=PARAMS,
)
class CommonWords:
    def add_up(self, ctx: Context, counts: list[dict[str, int] | None]) -> list[dict[str, Any]]:
        total: Counter[str] = Counter()
        for count in counts:
            total.update(count or {})
        return [{"word": word, "times": times} for word, times in total.most_common(10)]

    # The method lists the items, as the step words_items; the mapreduce over them is the step words.
    @mapreduce(
        mapper=count_words,
        reducer=add_up,
        batch_size=5,
        pool_size=4,
        error_strategy="continue_on_partial",
        min_success_rate=0.9,
    )
    def words(self, ctx: Context, modules: int) -> dict[str, list[str]]:
        files = Path(sysconfig.get_path("stdlib")).glob("*.py")
        largest = sorted(files, key=lambda path: -path.stat().st_size)[:modules]
        return {"items": [str(path) for path in largest]}

    def length(self, ctx: Context, entry: dict[str, Any]) -> int:
        return len(entry["word"])

    # The same without a method, over what an earlier step gave; without a reducer it gives a list.
    lengths = mapreduce(over=words, mapper=length)

    @step(input={"failed": "${size(steps.words.failed)}"})
    def report(self, ctx: Context, words: list[Any], lengths: list[int], failed: int) -> dict[str, Any]:
        return {"words": words, "letters": sum(lengths), "failed": failed}
