from collections.abc import Mapping
from typing import Any

import pytest

from workflows.domain.document import Document
from workflows.domain.graph import Ancestors, descendants, nodes_of
from workflows.domain.planner import Plan, Planner, Standing, plan
from workflows.domain.retry import delay_before, may_retry, own_attempts
from workflows.domain.states import RunState, StepState
from workflows.domain.steps import Retry
from workflows.domain.tolerance import MapCounts, Tolerance, judge_map

P, Q, R = StepState.PENDING, StepState.QUEUED, StepState.RUNNING
DONE, FAILED, SKIPPED, CANCELLED, UNDONE = (
    StepState.COMPLETED,
    StepState.FAILED,
    StepState.SKIPPED,
    StepState.CANCELLED,
    StepState.COMPENSATED,
)


def step(key: str, *needs: str, **more: Any) -> dict[str, Any]:
    return {"id": key, "type": "task", "run": {"code": "1"}, "needs": list(needs), **more}


def graph(*steps: dict[str, Any]) -> Document:
    return Document.model_validate({"name": "w", "steps": list(steps)})


DIAMOND = graph(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))


def moves(document: Document, states: Mapping[str, StepState], **standing: Any) -> Plan:
    return plan(nodes_of(document.steps), Standing(states=states, **standing))


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((P, P, P, P), Plan(start=("a",))),
        ((R, P, P, P), Plan()),
        ((DONE, P, P, P), Plan(start=("b", "c"))),
        ((DONE, DONE, R, P), Plan()),
        ((DONE, DONE, DONE, P), Plan(start=("d",))),
        ((DONE, DONE, DONE, DONE), Plan(outcome=RunState.COMPLETED)),
        ((DONE, FAILED, R, P), Plan(skip=(("d", "failure"),), stop=("c",))),
        ((DONE, FAILED, CANCELLED, SKIPPED), Plan(outcome=RunState.FAILED)),
        ((DONE, SKIPPED, DONE, P), Plan(start=("d",))),
        ((DONE, SKIPPED, SKIPPED, P), Plan(skip=(("d", "needs_skipped"),))),
    ],
)
def test_moves(states: tuple[StepState, ...], expected: Plan) -> None:
    assert moves(DIAMOND, dict(zip("abcd", states, strict=True))) == expected


def test_cancelling() -> None:
    states = dict(zip("abcd", (DONE, R, Q, P), strict=True))
    assert moves(DIAMOND, states, cancelled=True) == Plan(skip=(("d", "cancelled"),), stop=("b", "c"))
    ended = dict(zip("abcd", (DONE, CANCELLED, CANCELLED, CANCELLED), strict=True))
    assert moves(DIAMOND, ended, cancelled=True).outcome is RunState.CANCELLED
    done = dict.fromkeys("abcd", DONE)
    assert moves(DIAMOND, done, cancelled=True).outcome is RunState.COMPLETED


def test_a_run_without_steps_is_complete() -> None:
    assert moves(Document(name="w"), {}).outcome is RunState.COMPLETED


def test_going_on_after_a_failure_skips_only_what_needs_it() -> None:
    document = graph(step("a"), step("b", "a"), step("x"), step("y", "x"))
    states = {"a": FAILED, "b": P, "x": DONE, "y": P}
    assert moves(document, states, go_on=True) == Plan(start=("y",), skip=(("b", "failure"),))
    ended = {"a": FAILED, "b": SKIPPED, "x": DONE, "y": DONE}
    assert moves(document, ended, go_on=True).outcome is RunState.FAILED


def test_a_tolerated_failure_counts_as_an_end() -> None:
    document = graph(step("a", error_strategy="continue"), step("b", "a"))
    assert moves(document, {"a": FAILED, "b": P}) == Plan(start=("b",))
    assert moves(document, {"a": FAILED, "b": DONE}).outcome is RunState.COMPLETED


def test_a_branch_chooses() -> None:
    route = {
        "id": "r",
        "type": "branch",
        "cases": [{"when": True, "then": ["x", "y"]}],
        "else": ["z"],
    }
    document = graph(route, step("x"), step("y", "x"), step("z"), step("j", "y", "z"))
    pending = {"r": P, "x": P, "y": P, "z": P, "j": P}
    assert moves(document, pending) == Plan(start=("r",))
    chosen = {"r": ["x", "y"]}
    assert moves(document, {**pending, "r": DONE}, chosen=chosen) == Plan(
        start=("x",), skip=(("z", "branch"),)
    )
    later = {"r": DONE, "x": DONE, "y": DONE, "z": SKIPPED, "j": P}
    assert moves(document, later, chosen=chosen) == Plan(start=("j",))


def test_a_streaming_reduce_starts_with_its_map() -> None:
    a_map = {"id": "m", "type": "map", "run": {"code": "1"}, "over": [], "needs": []}
    document = graph(a_map, step("r", "m", type="reduce", streaming=True))
    assert moves(document, {"m": Q, "r": P}) == Plan()
    assert moves(document, {"m": R, "r": P}) == Plan(start=("r",))
    assert moves(document, {"m": DONE, "r": P}) == Plan(start=("r",))


def test_undoing_goes_from_the_last_completed_to_the_first_and_cleaning_up_comes_after() -> None:
    document = graph(
        step("a", compensate="ua"),
        step("b", "a", compensate="ub"),
        step("c", "b"),
        step("ua"),
        step("ub"),
        step("clean", "c", always_run=True),
    )
    states = {"a": DONE, "b": DONE, "c": FAILED, "ua": P, "ub": P, "clean": P}
    completed = ["a", "b"]
    assert moves(document, states, completed=completed) == Plan(start=("ub",))
    states["ub"] = R
    assert moves(document, states, completed=completed) == Plan()
    states["ub"] = DONE
    assert moves(document, states, completed=completed) == Plan(undone=("b",))
    states["b"] = UNDONE
    assert moves(document, states, completed=completed) == Plan(start=("ua",))
    states.update(ua=FAILED)
    assert moves(document, states, completed=completed) == Plan(start=("clean",))
    states.update(clean=DONE)
    assert moves(document, states, completed=completed).outcome is RunState.FAILED


def test_what_undoes_is_not_needed_after_success() -> None:
    document = graph(step("a", compensate="ua"), step("ua"))
    assert moves(document, {"a": P, "ua": P}) == Plan(start=("a",))
    assert moves(document, {"a": DONE, "ua": P}) == Plan(skip=(("ua", "not_needed"),))
    assert moves(document, {"a": DONE, "ua": SKIPPED}).outcome is RunState.COMPLETED


def test_cleaning_up_also_follows_a_cancellation() -> None:
    document = graph(step("a"), step("clean", "a", always_run=True))
    assert moves(document, {"a": R, "clean": P}, cancelled=True) == Plan(stop=("a",))
    assert moves(document, {"a": CANCELLED, "clean": P}, cancelled=True) == Plan(start=("clean",))
    ended = {"a": CANCELLED, "clean": DONE}
    assert moves(document, ended, cancelled=True).outcome is RunState.CANCELLED


def test_ancestors_and_descendants() -> None:
    needs = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "e": ()}
    before = Ancestors(needs)
    assert [key for key in needs if before.has("d", key)] == ["a", "b", "c"]
    assert not before.has("a", "d")
    assert not before.has("nowhere", "a")
    assert descendants(needs, {"b"}) == {"d"}
    assert descendants(needs, {"a"}) == {"b", "c", "d"}


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
        ("continue_on_partial", None, MapCounts(10, 0, 9), None),
        ("continue_on_partial", None, MapCounts(10, 1, 9), DONE),
        ("continue_on_partial", None, MapCounts(10, 0, 10), FAILED),
        ("continue_on_partial", None, MapCounts(0), DONE),
    ],
)
def test_the_error_strategy_decides(
    strategy: str, rate: float | None, counts: MapCounts, state: StepState | None
) -> None:
    tolerance = Tolerance(strategy, rate)  # type: ignore[arg-type]
    assert judge_map(tolerance, counts).state is state


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
    lost: dict[str, Any] = {"error_type": "agent_lost", "agent_lost": True}
    assert may_retry(once, 0, 1, **lost)
    assert may_retry(once, 0, 2, **lost)
    assert not may_retry(once, 0, 3, **lost)
    own: dict[str, Any] = {"error_type": "ValueError", "agent_lost": False}
    assert not may_retry(once, 1, 1, **own)
    assert may_retry(Retry(max_attempts=2), 1, 1, **own)


def test_attempts_that_the_platform_interrupted_do_not_count() -> None:
    assert own_attempts(attempts=5, losses=1, excused=3) == 1


def test_only_the_errors_that_are_named_are_worth_another_attempt() -> None:
    policy = Retry(max_attempts=5, retry_on=("timeout", "KeyError"))
    assert may_retry(policy, 1, 0, error_type="KeyError", agent_lost=False)
    assert not may_retry(policy, 1, 0, error_type="ValueError", agent_lost=False)
    assert may_retry(policy, 1, 1, error_type="agent_lost", agent_lost=True)


@pytest.mark.parametrize("go_on", [True, False])
def test_what_a_change_costs_does_not_grow_with_the_graph(
    monkeypatch: pytest.MonkeyPatch, go_on: bool
) -> None:
    looked_at: list[int] = []
    move = Planner._move

    def counted(planner: Planner, place: int) -> Any:
        looked_at.append(place)
        return move(planner, place)

    monkeypatch.setattr(Planner, "_move", counted)
    chain = graph(step("s0"), *(step(f"s{n}", f"s{n - 1}") for n in range(1, 200)))
    planner = Planner(nodes_of(chain.steps), go_on=go_on)
    for n in range(200):
        assert planner.moves() == Plan(start=(f"s{n}",))
        for state in (Q, R, DONE):
            planner.note(f"s{n}", state)
    assert planner.moves() == Plan(outcome=RunState.COMPLETED)
    assert sorted(looked_at) == list(range(200))  # each once, when its turn came
