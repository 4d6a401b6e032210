"""Quantiles of steps, and the longest way through a workflow."""

from __future__ import annotations

from typing import Any

import pytest

from workflows.domain.document import Document
from workflows.domain.estimates import Sample, critical_path, quantile, spread, step_figures
from workflows.domain.steps import AnyStep


def steps(*listed: dict[str, Any]) -> tuple[AnyStep, ...]:
    code = {"code": "def main(): ..."}
    full = [{"type": "task", "run": code, **step} for step in listed]
    return Document.model_validate({"name": "w", "steps": full}).steps


def taking(*seconds: float | None) -> list[Sample]:
    return [Sample(value) for value in seconds]


@pytest.mark.parametrize(
    ("values", "q", "result"),
    [([], 0.5, None), ([7], 0.95, 7), ([3, 1, 2], 0.5, 2), (list(range(1, 101)), 0.95, 95)],
)
def test_quantiles_are_values_that_occurred(values: list[float], q: float, result: float | None) -> None:
    assert quantile(values, q) == result


def test_spread() -> None:
    assert spread([]) is None
    assert spread([1, 2, 3]) == {"p50": 2, "p95": 3}


def test_figures_of_a_step() -> None:
    (step,) = steps({"id": "a"})
    samples = [Sample(1.0, 1, 10, 4.0), Sample(3.0, 2, 30, 12.0), Sample(None), Sample(2.0, 1, 20, None)]
    figures = step_figures(step, samples)
    assert (figures["samples"], figures["share"], figures["reason"]) == (3, 0.75, None)
    assert figures["duration_ms"] == {"p50": 2000, "p95": 3000}
    assert figures["attempts"] == {"p50": 1, "p95": 2}
    assert figures["items"] == {"p50": 20, "p95": 30}
    assert figures["agent_seconds"] == {"p50": 4.0, "p95": 12.0}
    assert figures["cost"] is None


def test_a_step_without_history_says_so() -> None:
    (step,) = steps({"id": "a"})
    never = step_figures(step, [])
    assert (never["duration_ms"], never["share"]) == (None, None)
    assert "No run" in never["reason"]
    assert "skipped" in step_figures(step, taking(None, None))["reason"]


def test_the_longest_way() -> None:
    graph = steps({"id": "a"}, {"id": "b", "needs": ["a"]}, {"id": "c", "needs": ["a"]}, {"id": "d"})
    samples = {"a": taking(1), "b": taking(5), "c": taking(2), "d": taking(5.5)}
    path = critical_path(graph, samples, 0.5)
    assert (path.seconds, path.steps) == (6, ("a", "b"))


def test_the_slow_way_may_be_another_one() -> None:
    graph = steps({"id": "a"}, {"id": "b"})
    samples = {"a": taking(*[2] * 20), "b": taking(*[1] * 17, 50, 50, 50)}
    assert critical_path(graph, samples, 0.5).steps == ("a",)
    assert critical_path(graph, samples, 0.95).steps == ("b",)


def test_steps_that_are_mostly_skipped_do_not_count_for_the_median() -> None:
    graph = steps({"id": "a"}, {"id": "b", "needs": ["a"]})
    samples = {"a": taking(1, 1, 1), "b": taking(None, None, 9)}
    assert critical_path(graph, samples, 0.5).seconds == 1
    assert critical_path(graph, samples, 0.95).seconds == 10


def test_a_streaming_reduce_starts_with_its_map() -> None:
    graph = steps(
        {"id": "m", "type": "map", "over": [1]},
        {"id": "r", "type": "reduce", "needs": ["m"], "streaming": True},
    )
    assert critical_path(graph, {"m": taking(4), "r": taking(5)}, 0.5).seconds == 5


def test_steps_that_undo_are_not_on_the_way() -> None:
    graph = steps({"id": "a", "compensate": "undo"}, {"id": "undo"})
    path = critical_path(graph, {"a": taking(1), "undo": taking(60)}, 0.5)
    assert (path.seconds, path.steps) == (1, ("a",))


def test_a_workflow_without_steps() -> None:
    assert critical_path((), {}, 0.5).seconds == 0
