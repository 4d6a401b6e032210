"""Any graph of steps finishes with every step in a final state, whatever the order in which steps end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.factories.graphs import graphs
from tests.factories.plain_planner import plain_plan
from workflows.domain.document import Document
from workflows.domain.graph import needs_of, nodes_of
from workflows.domain.planner import Plan, Planner, Standing, plan
from workflows.domain.states import STEP_ACTIVE, STEP_FINAL, RunState, StepState, check_step

S = StepState


class Simulation:
    """Follows plans as the engine does: one state at a time, each change checked against the table."""

    def __init__(self, document: Document, *, go_on: bool) -> None:
        self.document = document
        self.nodes = nodes_of(document.steps)
        self.planner = Planner(self.nodes, go_on=go_on)
        self.go_on = go_on
        self.states = {step.id: S.PENDING for step in document.steps}
        self.completed: list[str] = []
        self.chosen: dict[str, list[str]] = {}
        self.cancelled = False
        self.started: list[str] = []

    def move_to(self, step: str, state: StepState) -> None:
        check_step(self.states[step], state)
        self.states[step] = state
        if state is S.COMPLETED:
            self.completed.append(step)
        self.planner.note(step, state, chosen=self.chosen.get(step, ()), order=len(self.completed))

    def plan(self) -> Plan:
        """By what has changed since the last plan; it is the one that looking at every step gives."""
        self.planner.cancelled = self.cancelled
        moves = self.planner.moves()
        standing = Standing(
            self.states, self.chosen, tuple(self.completed), cancelled=self.cancelled, go_on=self.go_on
        )
        assert moves == plain_plan(self.nodes, standing)
        assert moves == plan(self.nodes, standing)
        return moves

    def follow(self, moves: Plan) -> None:
        for step in moves.undone:
            self.move_to(step, S.COMPENSATED)
        for step, reason in moves.skip:
            self.move_to(step, S.CANCELLED if reason == "cancelled" else S.SKIPPED)
        for step in moves.start:
            assert step not in self.started
            self.started.append(step)
            self.move_to(step, S.QUEUED)
            self.move_to(step, S.RUNNING)
        for step in moves.stop:
            self.move_to(step, S.CANCELLED)

    def end_one(self, data: st.DataObject) -> None:
        active = sorted(step for step, state in self.states.items() if state in STEP_ACTIVE)
        if not active:
            return
        step = data.draw(st.sampled_from(active))
        end = data.draw(st.sampled_from([S.COMPLETED] * 5 + [S.FAILED]))
        definition = self.document.step(step)
        if definition.type == "branch" and end is S.COMPLETED:
            case = data.draw(st.booleans())
            self.chosen[step] = list(definition.cases[0].then if case else definition.else_)
        self.move_to(step, end)
        self.cancelled = self.cancelled or data.draw(st.integers(0, 30)) == 0


@given(graphs(), st.booleans(), st.data())
def test_every_graph_ends(document: Document, go_on: bool, data: st.DataObject) -> None:
    run = Simulation(document, go_on=go_on)
    for _ in range(300):
        moves = run.plan()
        if moves.outcome is not None:
            break
        run.follow(moves)
        if not (moves.start or moves.skip or moves.stop or moves.undone):
            assert any(state in STEP_ACTIVE for state in run.states.values()), "nothing moves any more"
            run.end_one(data)
    assert moves.outcome is not None
    assert all(state in STEP_FINAL for state in run.states.values())
    bad = [
        node.id
        for node in run.nodes
        if run.states[node.id] is S.FAILED and not node.tolerated and node.undoes is None
    ]
    assert (moves.outcome is RunState.FAILED) == bool(bad)
    if moves.outcome is RunState.COMPLETED:
        assert S.COMPENSATED not in run.states.values()


@given(graphs(), st.data())
def test_no_step_starts_before_its_needs_have_ended(document: Document, data: st.DataObject) -> None:
    run = Simulation(document, go_on=False)
    needs = needs_of(document.steps)
    streams = {node.id for node in run.nodes if node.streams}
    for _ in range(300):
        moves = run.plan()
        if moves.outcome is not None:
            break
        for step in moves.start:
            for need in needs[step]:
                assert run.states[need] in STEP_FINAL or (step in streams and run.states[need] is S.RUNNING)
        run.follow(moves)
        run.end_one(data)


@given(graphs(), st.data())
def test_plans_do_not_depend_on_the_order_of_the_states(document: Document, data: st.DataObject) -> None:
    values = st.sampled_from(list(StepState))
    states = {step.id: data.draw(values) for step in document.steps}
    shuffled = dict(data.draw(st.permutations(list(states.items()))))
    nodes = nodes_of(document.steps)
    assert plan(nodes, Standing(states)) == plan(nodes, Standing(shuffled))


@given(graphs(), st.booleans(), st.booleans(), st.data())
def test_planning_by_changes_gives_the_plan_of_the_whole_in_any_order_of_events(
    document: Document, cancelled: bool, go_on: bool, data: st.DataObject
) -> None:
    nodes = nodes_of(document.steps)
    ids = [node.id for node in nodes]
    planner = Planner(nodes, go_on=go_on)
    planner.cancelled = cancelled
    states = dict.fromkeys(ids, S.PENDING)
    chosen: dict[str, list[str]] = {}
    completed: dict[str, int] = {}
    places = data.draw(st.permutations(range(len(ids))))
    events = data.draw(st.lists(st.sampled_from(ids), max_size=40)) if ids else []
    for step in events:
        states[step] = data.draw(st.sampled_from(list(StepState)))
        chosen[step] = data.draw(st.lists(st.sampled_from(ids), max_size=3))
        completed[step] = places[ids.index(step)]
        planner.note(step, states[step], chosen=chosen[step], order=completed[step])
        order = sorted((step for step in ids if step in completed), key=completed.__getitem__)
        standing = Standing(states, chosen, order, cancelled=cancelled, go_on=go_on)
        assert planner.moves() == plain_plan(nodes, standing)
