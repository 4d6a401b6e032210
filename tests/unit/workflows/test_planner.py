import pytest

from workflows.domain.document import Document, MapStep, Retry
from workflows.domain.planner import MapCounts, Plan, judge_map, plan
from workflows.domain.retry import delay_before, may_retry
from workflows.domain.states import RunState, StepState

P, Q, R = StepState.PENDING, StepState.QUEUED, StepState.RUNNING
DONE, FAILED, SKIPPED, CANCELLED = (
    StepState.COMPLETED,
    StepState.FAILED,
    StepState.SKIPPED,
    StepState.CANCELLED,
)


def diamond() -> Document:
    needs = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}
    steps = [{"id": k, "type": "task", "run": {"code": "1"}, "needs": v} for k, v in needs.items()]
    return Document.model_validate({"name": "w", "steps": steps})


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((P, P, P, P), Plan(start=("a",))),
        ((R, P, P, P), Plan()),
        ((DONE, P, P, P), Plan(start=("b", "c"))),
        ((DONE, DONE, R, P), Plan()),
        ((DONE, DONE, DONE, P), Plan(start=("d",))),
        ((DONE, DONE, DONE, DONE), Plan(outcome=RunState.COMPLETED)),
        ((DONE, FAILED, R, P), Plan(skip=("d",), stop=("c",))),
        ((DONE, FAILED, CANCELLED, SKIPPED), Plan(outcome=RunState.FAILED)),
    ],
)
def test_moves(states: tuple[StepState, ...], expected: Plan) -> None:
    assert plan(diamond(), dict(zip("abcd", states, strict=True))) == expected


def test_cancelling() -> None:
    states = dict(zip("abcd", (DONE, R, Q, P), strict=True))
    assert plan(diamond(), states, cancelled=True) == Plan(skip=("d",), stop=("b", "c"))
    ended = dict(zip("abcd", (DONE, CANCELLED, CANCELLED, CANCELLED), strict=True))
    assert plan(diamond(), ended, cancelled=True).outcome is RunState.CANCELLED
    done = dict.fromkeys("abcd", DONE)
    assert plan(diamond(), done, cancelled=True).outcome is RunState.COMPLETED


def test_a_run_without_steps_is_complete() -> None:
    assert plan(Document(name="w"), {}).outcome is RunState.COMPLETED


def a_map(strategy: str, rate: float | None = None) -> MapStep:
    return MapStep.model_validate(
        {
            "id": "m",
            "type": "map",
            "run": {"code": "1"},
            "over": [],
            "error_strategy": strategy,
            "min_success_rate": rate,
        }
    )


@pytest.mark.parametrize(
    ("strategy", "rate", "counts", "state"),
    [
        ("fail_fast", None, MapCounts(10, 3, 0), None),
        ("fail_fast", None, MapCounts(10, 3, 1), FAILED),
        ("fail_fast", None, MapCounts(10, 10, 0), DONE),
        ("continue", None, MapCounts(10, 3, 6), None),
        ("continue", None, MapCounts(10, 0, 10), DONE),
        ("continue_on_partial", 0.8, MapCounts(10, 0, 2), None),
        ("continue_on_partial", 0.8, MapCounts(10, 0, 3), FAILED),
        ("continue_on_partial", 0.8, MapCounts(10, 8, 2), DONE),
        ("continue_on_partial", 0.8, MapCounts(0), DONE),
    ],
)
def test_the_error_strategy_decides(
    strategy: str, rate: float | None, counts: MapCounts, state: StepState | None
) -> None:
    assert judge_map(a_map(strategy, rate), counts).state is state


@pytest.mark.parametrize(
    ("backoff", "waits"),
    [("constant", [2, 2, 2, 2]), ("linear", [2, 4, 6, 8]), ("exponential", [2, 4, 8, 9])],
)
def test_backoff(backoff: str, waits: list[float]) -> None:
    policy = Retry(max_attempts=9, backoff=backoff, delay=2, max_delay=9, jitter=False)
    assert [delay_before(policy, attempt, 0.7) for attempt in (2, 3, 4, 5)] == waits


def test_jitter_keeps_between_half_and_whole() -> None:
    policy = Retry(delay=10, max_delay=10)
    assert delay_before(policy, 2, 0.0) == 5
    assert 9.9 < delay_before(policy, 2, 0.999) < 10


def test_a_lost_agent_is_not_the_step_s_fault_but_three_are_enough() -> None:
    once = Retry(max_attempts=1)
    assert may_retry(once, attempts=1, losses=1, agent_lost=True)
    assert may_retry(once, attempts=2, losses=2, agent_lost=True)
    assert not may_retry(once, attempts=3, losses=3, agent_lost=True)
    assert not may_retry(once, attempts=2, losses=1, agent_lost=False)
    assert may_retry(Retry(max_attempts=2), attempts=2, losses=1, agent_lost=False)
