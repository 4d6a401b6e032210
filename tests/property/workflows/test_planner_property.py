"""Any graph of steps finishes with every step in a final state, whatever the order in which steps end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workflows.domain.document import Document
from workflows.domain.planner import plan
from workflows.domain.states import STEP_FINAL, RunState, StepState, check_step


@st.composite
def documents(draw: st.DrawFn) -> Document:
    count = draw(st.integers(0, 12))
    steps = []
    for place in range(count):
        earlier = [f"s{i}" for i in range(place)]
        needs = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=4)) if earlier else []
        steps.append({"id": f"s{place}", "type": "task", "run": {"code": "1"}, "needs": needs})
    order = draw(st.permutations(steps))
    return Document.model_validate({"name": "w", "steps": order})


@given(documents(), st.data())
def test_every_graph_ends(document: Document, data: st.DataObject) -> None:
    states = {step.id: StepState.PENDING for step in document.steps}
    cancelled = False
    started: list[str] = []

    def move_to(step: str, state: StepState) -> None:
        check_step(states[step], state)
        states[step] = state

    for _ in range(200):
        moves = plan(document, states, cancelled=cancelled)
        if moves.outcome is not None:
            break
        for step in moves.start:
            needs = document.step(step).needs
            assert all(states[need] is StepState.COMPLETED for need in needs)
            assert step not in started
            started.append(step)
            move_to(step, StepState.QUEUED)
            move_to(step, StepState.RUNNING)
        for step in moves.skip:
            move_to(step, StepState.SKIPPED)
        for step in moves.stop:
            move_to(step, StepState.CANCELLED)
        running = sorted(step for step, state in states.items() if state is StepState.RUNNING)
        if running:
            step = data.draw(st.sampled_from(running))
            ends = st.sampled_from([StepState.COMPLETED] * 6 + [StepState.FAILED])
            move_to(step, data.draw(ends))
            cancelled = cancelled or data.draw(st.integers(0, 30)) == 0
    assert moves.outcome is not None
    assert all(state in STEP_FINAL for state in states.values())
    if moves.outcome is RunState.COMPLETED:
        assert all(state is StepState.COMPLETED for state in states.values())


@given(documents(), st.data())
def test_plans_do_not_depend_on_the_order_of_the_states(document: Document, data: st.DataObject) -> None:
    values = st.sampled_from(list(StepState))
    states = {step.id: data.draw(values) for step in document.steps}
    shuffled = dict(data.draw(st.permutations(list(states.items()))))
    assert plan(document, states) == plan(document, shuffled)
