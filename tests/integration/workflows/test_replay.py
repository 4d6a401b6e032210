"""The log of a run's events tells all that its rows hold: folding it gives the same states and counts."""

from __future__ import annotations

import asyncio
import random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories.graphs import graphs
from tests.integration.workflows.harness import Harness, make_run
from workflows.domain.document import Document
from workflows.domain.states import RUN_FINAL, STEP_FINAL
from workflows.models import Event, Item, Run, Step

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


class Folded:
    """What somebody knows who has read nothing but the events."""

    def __init__(self, run_id: UUID) -> None:
        self.run: dict[str, Any] = {"state": "pending"}
        self.steps: dict[str, dict[str, Any]] = {}
        self.items: dict[tuple[str, int], str] = {}
        for seq, event in enumerate(Event.objects.filter(run_id=run_id).order_by("seq"), 1):
            assert event.seq == seq, "the numbers of the events have gaps"
            self.run |= event.data.get("run", {})
            if "step" in event.data:
                self.steps.setdefault(event.data["step"]["id"], {}).update(event.data["step"])
            for index, state, _attempts in event.data.get("items", []):
                self.items[event.data["step"]["id"], index] = state


def drive(run_id: UUID, failing: float, seed: int) -> None:
    """Bodies fail now and then."""
    source = random.Random(seed)

    def body(value: Any, _invocation: Any) -> Any:
        if source.random() < failing:
            raise ValueError("no luck")
        return value

    async def whole() -> None:
        harness = Harness(body)
        try:
            async with asyncio.timeout(30):
                await harness.drive(run_id)
        finally:
            await harness.close()
        assert not harness.broker.held

    asyncio.run(whole())


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    graphs(), st.sampled_from(["fail_fast", "continue"]), st.sampled_from([0.0, 0.1, 0.4]), st.integers(0, 99)
)
def test_the_events_alone_give_the_state_of_the_rows(
    document: Document, strategy: str, failing: float, seed: int
) -> None:
    written = document.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    steps = [
        {**step, "type": given.type}
        for step, given in zip(written.get("steps", []), document.steps, strict=True)
    ]
    run_id = make_run(*steps, failure_strategy=strategy)
    drive(run_id, failing, seed)
    run, told = Run.objects.get(pk=run_id), Folded(run_id)
    assert run.state in RUN_FINAL
    assert told.run["state"] == run.state
    rows = {step.key: step for step in Step.objects.filter(run_id=run_id)}
    assert all(step.state in STEP_FINAL for step in rows.values())
    assert {key: step["state"] for key, step in told.steps.items()} == {
        key: step.state for key, step in rows.items()
    }
    items = Item.objects.filter(step__run_id=run_id).values_list("step__key", "index", "state")
    assert told.items == {(key, index): state for key, index, state in items}
    for key, step in rows.items():
        counts = told.steps[key]["counts"]
        assert (counts["total"], counts["completed"], counts["failed"]) == (
            step.total,
            step.completed,
            step.failed,
        )
