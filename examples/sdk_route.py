"""Branch, loop and wait in Python: a long text is shortened until it fits, a short one kept, and the result
goes out when somebody says so (see grade-and-route.yaml, square-root.yaml and wait-for-delivery.yaml).

    ./aflow workflow create examples/sdk_route.py
    ./aflow workflow run route-py
    ./aflow run signal RUN go-7 --payload '{"to": "everybody"}'
"""

from __future__ import annotations

from typing import Any

from agentainer_flow import Context, branch, loop, step, wait, workflow

PARAMS = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "title": "Text", "default": "Warm agents answer sooner than cold ones."},
        "most": {"type": "integer", "title": "Words that fit", "default": 10, "minimum": 1},
        "order": {"type": "integer", "title": "Order", "default": 7},
    },
    "additionalProperties": False,
}


@workflow(name="route-py", description="Shortens a text that is too long, and sends it on", params=PARAMS)
class Route:
    @step
    def grade(self, ctx: Context, text: str) -> dict[str, Any]:
        return {"text": text, "words": len(text.split())}

    # Each keyword is a way: the step below that runs when its condition is the first to hold.
    route = branch(shorten="steps.grade.output.words > params.most", otherwise="keep")

    @step
    def cut(self, ctx: Context, item: dict[str, Any], index: int, most: int) -> dict[str, Any]:
        """`item` is what the last iteration gave, at first what `grade` gave; `index` counts from 0."""
        words = item["text"].split()
        words = words[: max(most, len(words) * 3 // 4)]
        ctx.state.append_to_list("lengths", len(words))
        return {"text": " ".join(words), "words": len(words), "rounds": index + 1}

    shorten = loop(steps=[cut], until="steps.cut.output.words <= params.most", max_iterations=60)

    @step
    def keep(self, ctx: Context) -> dict[str, Any]:
        return {**ctx.input, "rounds": 0}

    # The first step after the ways: it joins them.
    pause = wait("200ms")
    go = wait(event="go-${params.order}", timeout="1h")

    @step
    def publish(
        self,
        ctx: Context,
        route: dict[str, Any],
        shorten: dict[str, Any] | None,
        keep: dict[str, Any] | None,
        go: dict[str, Any],
    ) -> dict[str, Any]:
        text = shorten or keep or {}
        return {"way": route["chosen"][0], "to": go["to"], **text}
