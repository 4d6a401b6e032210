"""Sorts words with the programs of the agents' image: steps that are commands have no body.

./aflow workflow create examples/sdk_sorted_words.py
./aflow workflow run sorted-words-py --wait
"""

from __future__ import annotations

from typing import Any

from agentainer_flow import Context, WorkflowClient, step, workflow

TEXT = "the quick brown fox jumps over the lazy dog and the dog sleeps"


@workflow(
    name="sorted-words-py",
    description="The words of a text in their order, each once, by sort and awk",
    params={
        "type": "object",
        "properties": {"text": {"type": "string", "default": TEXT, "title": "Text"}},
    },
)
class SortedWords:
    # A line is for a shell; it may also be a list: a program and its arguments.
    @step(
        input="${params.text}",
        command="""
            tr -cs 'A-Za-z' '\\n' | grep . | sort -u |
            awk 'BEGIN {printf "["} {printf "%s\\"%s\\"", (NR > 1 ? ", " : ""), $0} END {print "]"}'
        """,
        timeout="30s",
    )
    def words(self, ctx: Context) -> Any: ...

    @step(parallel=True, input="${item}", command=["wc", "-c"], max_workers=3)
    def lengths(self, ctx: Context) -> Any: ...

    @step(depends_on=("words", "lengths"))
    def pairs(self, ctx: Context, words: list[str], lengths: list[int]) -> dict[str, Any]:
        ctx.log(f"{len(words)} words")
        return {"words": words, "bytes_read": sum(lengths)}


if __name__ == "__main__":
    with WorkflowClient() as client:
        print(client.run(SortedWords).result())
