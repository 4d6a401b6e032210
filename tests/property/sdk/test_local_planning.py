"""The planner of local runs makes the moves of the platform's, in any graph and however its steps end."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agentainer_flow.local import planning
from tests.factories.graphs import graphs
from tests.property.workflows.test_planner_property import Simulation
from workflows.domain.document import Document
from workflows.domain.outputs import output_template


class Pair(Simulation):
    """Asks both planners at every look."""

    def plan(self) -> Any:
        wanted = super().plan()
        steps = json.loads(self.document.model_dump_json(by_alias=True))["steps"]
        found = planning.moves(
            planning.nodes_of(steps),
            planning.Standing(
                {step: str(state) for step, state in self.states.items()},
                self.chosen,
                tuple(self.completed),
                cancelled=self.cancelled,
                go_on=self.go_on,
            ),
        )
        assert (found.start, found.skip, found.stop, found.undone, found.outcome) == (
            wanted.start,
            wanted.skip,
            wanted.stop,
            wanted.undone,
            wanted.outcome,
        )
        return wanted


@given(graphs(), st.booleans(), st.data())
def test_every_move_is_the_platform_s(document: Document, go_on: bool, data: st.DataObject) -> None:
    pair = Pair(document, go_on=go_on)
    for _ in range(200):
        moves = pair.plan()
        if moves.outcome is not None:
            return
        pair.follow(moves)
        pair.cancelled = pair.cancelled or data.draw(st.integers(0, 30)) == 0
        pair.end_one(data)
    raise AssertionError("the graph did not end")


@given(graphs())
def test_what_a_graph_gives_when_nobody_says(document: Document) -> None:
    from agentainer_flow.local.run import output_template as local

    steps = json.loads(document.model_dump_json(by_alias=True))["steps"]
    assert local(steps) == output_template(document.steps)
