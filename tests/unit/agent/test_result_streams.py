"""Results that come page by page, by calls, to bodies that iterate over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agentainer_flow.agent import ResultStream
from tests.unit.agent.running import RunningAgent
from tests.unit.agent.talking import pages, talk

STREAM = {"stream": "results"}


@pytest.mark.parametrize(
    "source",
    [
        "def main(results): return [n for n in results]",
        "async def main(results): return [n async for n in results]",
        "def main(results, ctx): return [n for n in ctx.input['results']]",
        "def main(results):\n    return [next(results), next(results), *results]",
    ],
)
@pytest.mark.parametrize(("count", "size"), [(0, 100), (250, 100), (300, 100), (7, 1)])
def test_a_body_gets_all_results(agent: RunningAgent, source: str, count: int, size: int) -> None:
    if count == 0 and "next" in source:
        return
    answer = talk(agent, source, pages(count, size), {"results": None}, context=STREAM)
    assert answer.json == {"output": list(range(count))}
    calls = [line["call"] for line in answer.lines if "call" in line]
    assert [call["args"] for call in calls] == [
        {"after": start, "max": 100} for start in range(0, max(count, 1), size)
    ]


def test_pages_without_anything_are_asked_for_again(agent: RunningAgent) -> None:
    for source in (
        "def main(results): return list(results)",
        "async def main(results): return [n async for n in results]",
    ):
        answer = talk(agent, source, pages(3, 100, empty=2), context=STREAM)
        assert answer.json == {"output": [0, 1, 2]}
        assert sum("call" in line for line in answer.lines) == 3
        assert 0.1 < answer.seconds < 5


def test_nothing_is_fetched_ahead(agent: RunningAgent) -> None:
    source = "def main(results): return [next(results) for _ in range(100)][-1]"
    answer = talk(agent, source, pages(1000, 100), context=STREAM)
    assert answer.json == {"output": 99}
    assert sum("call" in line for line in answer.lines) == 1


def test_other_arguments_stay(agent: RunningAgent) -> None:
    source = "def main(results, start): return sum(results, start)"
    assert talk(agent, source, pages(4, 2), {"start": 10}, context=STREAM).json == {"output": 16}


def test_a_loop_wants_async_for(agent: RunningAgent) -> None:
    source = "async def main(results): return list(results)"
    answer = talk(agent, source, pages(3, 100), context=STREAM)
    assert answer.error["type"] == "TypeError"
    assert "async for" in answer.error["message"]
    assert answer.logs == []


@pytest.mark.parametrize("stream", ["items", 5, True])
def test_other_streams_are_refused(agent: RunningAgent, stream: Any) -> None:
    answer = agent.run("def main(): pass", context={"stream": stream})
    assert (answer.status, answer.error["type"]) == (400, "bad_request")


# --- alone ---------------------------------------------------------------------------------------------


def answering(*answers: Any) -> Callable[..., Any]:
    left = list(answers)
    return lambda op, args: left.pop(0)


@pytest.mark.parametrize("page", [None, [], {}, {"results": None}, {"results": {"a": 1}}])
def test_a_page_that_is_none_ends_it(page: Any) -> None:
    with pytest.raises(ValueError, match="no page of results"):
        next(ResultStream(answering(page)))


def test_once_through_it_stays_at_its_end() -> None:
    stream = ResultStream(answering({"results": [1], "cursor": 1, "done": True}))
    assert [*stream, *stream] == [1]


async def test_async_too() -> None:
    async def page(op: str, args: dict[str, Any]) -> Any:
        return {"results": [args["after"]], "cursor": args["after"] + 1, "done": args["after"] == 2}

    assert [one async for one in ResultStream(page)] == [0, 1, 2]


def test_a_call_that_fails_may_be_tried_again() -> None:
    def call(op: str, args: dict[str, Any]) -> Any:
        if not failed:
            failed.append(1)
            raise OSError
        return {"results": [args["after"]], "cursor": 1, "done": True}

    failed: list[int] = []
    stream = ResultStream(call)
    with pytest.raises(OSError):  # noqa: PT011
        next(stream)
    assert list(stream) == [0]
