"""A `main` that takes a `ctx`: how it is called, and what it tells its caller on the way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.agent.running import RunningAgent, until
from tests.unit.agent.talking import talking


@pytest.mark.parametrize(
    ("source", "value", "output"),
    [
        ("def main(a, ctx): return [a, ctx.input]", {"a": 1}, [1, {"a": 1}]),
        ("def main(ctx, a): return [a, ctx.input]", {"a": 1}, [1, {"a": 1}]),
        ("def main(*, ctx, a): return [a, ctx.input]", {"a": 1}, [1, {"a": 1}]),
        ("def main(ctx=None, **all): return [all, ctx.input]", {"a": 1}, [{"a": 1}, {"a": 1}]),
        ("async def main(a, ctx): return [a, ctx.input]", {"a": 1}, [1, {"a": 1}]),
        ("def main(ctx, a): return [ctx, a]", {"a": 1, "ctx": 2}, [2, 1]),
        ("def main(x, ctx): return [x, ctx.input]", 5, [5, 5]),
        ("def main(ctx, x): return [x, ctx.input]", 5, [5, 5]),
        ("def main(x=7, ctx=None): return [x, ctx.input]", None, [7, None]),
        ("def main(x, ctx): return [x, ctx.input]", None, [None, None]),
        ("def main(ctx): return ctx.input", {"a": 1}, {"a": 1}),
        ("def main(ctx): return ctx.input", [1], [1]),
        ("def main(ctx): return ctx.input", None, None),
        ("def main(**all): return sorted(all)", {"a": 1}, ["a"]),
        ("def main(*ctx): return list(ctx)", 1, [1]),
        ("class main:\n def __new__(cls, x, ctx): return [x, ctx.run_id]", {"x": 1}, [1, "r"]),
    ],
)
def test_a_parameter_ctx_gets_the_context(agent: RunningAgent, source: str, value: Any, output: Any) -> None:
    assert agent.output(source, value, context={"run_id": "r"}) == output


def test_it_knows_its_call(agent: RunningAgent) -> None:
    source = "def main(x, ctx): return [ctx.run_id, ctx.step_id, ctx.item_index, ctx.attempt, ctx.params]"
    context = {"run_id": "r", "step_id": "s", "attempt": 2, "item_indexes": [4, 7], "params": {"p": 1}}
    outputs = agent.run(source, inputs=[{"x": 1}, {"x": 2}], context=context).json["outputs"]
    assert [one["output"] for one in outputs] == [["r", "s", 4, 2, {"p": 1}], ["r", "s", 7, 2, {"p": 1}]]


def test_a_wrong_call_is_told_as_ever(agent: RunningAgent) -> None:
    error = agent.run("def main(a, ctx): return 1", {"b": 1}).error
    assert error["traceback"] == "TypeError: main() got an unexpected keyword argument 'b'\n"


# --- what is told on the way ----------------------------------------------------------------------------


def test_progress_is_seen_before_the_end(agent: RunningAgent) -> None:
    source = "import time\ndef main(ctx):\n    ctx.progress(0.5, 'half')\n    time.sleep(60)"
    with talking(agent, source) as open_:
        until(lambda: open_.lines)
        assert open_.lines == [{"progress": {"value": 0.5, "message": "half"}, "item": 0}]


def test_progress_and_metrics_are_lines_with_their_item(agent: RunningAgent) -> None:
    source = """
        def main(x, ctx):
            ctx.progress({"done": x})
            ctx.emit_progress(x)
            ctx.metric("rows", x)
    """
    answer = agent.run(source, inputs=[{"x": 1}, {"x": 2}])
    assert answer.lines[:-1] == [
        line
        for item, x in enumerate((1, 2))
        for line in (
            {"progress": {"done": x}, "item": item},
            {"progress": x, "item": item},
            {"metric": {"name": "rows", "value": x, "item": item}},
        )
    ]


def test_in_async_code_they_may_be_awaited(agent: RunningAgent) -> None:
    source = """
        async def main(ctx):
            await ctx.progress(1)
            await ctx.emit_progress(2, "two")
            await ctx.metric("m", 3)
            ctx.progress(4)
            ctx.metric("m", 5)
    """
    told = [line.get("progress", line.get("metric")) for line in agent.run(source).lines[:-1]]
    assert told == [
        1,
        {"value": 2, "message": "two"},
        {"name": "m", "value": 3, "item": 0},
        4,
        {"name": "m", "value": 5, "item": 0},
    ]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ("ctx.progress(float('nan'))", "progress is nan"),
        ("ctx.progress({'a': {1}})", "progress.a is of type set"),
        ("ctx.metric('m', float('inf'))", "The metric m must be a finite number."),
        ("ctx.metric('m', 10 ** 400)", "The metric m must be a finite number."),
        ("ctx.metric('m', '1')", "The metric m must be a finite number."),
        ("ctx.metric('', 1)", "A metric's name is text of 1 to 100 characters."),
        ("ctx.metric('m' * 101, 1)", "A metric's name is text of 1 to 100 characters."),
        ("ctx.metric(5, 1)", "A metric's name is text of 1 to 100 characters."),
    ],
)
def test_what_has_no_form_is_refused(agent: RunningAgent, told: str, message: str) -> None:
    answer = agent.run(f"def main(ctx): {told}")
    assert answer.content_type == "application/json"
    assert answer.error["type"] == "InvalidRequest"
    assert answer.error["message"].startswith(message)


def test_progress_and_logs_have_bounds_of_their_own(agent: RunningAgent) -> None:
    source = """
        def main(ctx):
            for n in range(10_100):
                print(n)
            for n in range(100_100):
                ctx.progress(n)
            print("never seen")
    """
    answer = agent.run(source)
    assert answer.json == {"output": None}
    assert sum("progress" in line for line in answer.lines) == 100_000
    assert [line["text"] for line in answer.logs if "truncated" in line["text"]] == [
        "The log is truncated here: a request may write 10,000 lines or 1 MiB.",
        "Progress is truncated here: a request may write 100,000 lines or 8 MiB.",
    ]
    assert agent.run("def main(ctx): ctx.progress(1)").lines[0] == {"progress": 1, "item": 0}


def test_what_comes_after_the_end_is_nobodys(agent: RunningAgent) -> None:
    source = """
        import threading, time
        def tell(ctx):
            time.sleep(0.2)
            ctx.progress("late")
            ctx.metric("m", 1)
        def main(ctx):
            threading.Thread(target=tell, args=(ctx,)).start()
    """
    assert agent.run(source).content_type == "application/json"
    assert agent.run("import time\ndef main(): time.sleep(0.5)").content_type == "application/json"
