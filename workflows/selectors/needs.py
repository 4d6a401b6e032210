"""What the next call of a step needs of the budgets that pay for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pools.facade import api as pools
from pools.facade.contracts import PoolNotFound
from scaling.facade import budgets
from workflows.domain.document import Document, walk
from workflows.domain.steps import CallingStep
from workflows.models import Run, Step
from workflows.selectors.runs import document_of


@dataclass(frozen=True, slots=True)
class Need:
    """`cost` of one call until its time-out of `timeout` seconds, in the currency; `stated`: somebody wrote a
    time-out down. `found`: the enforced budgets that pay, the scarcest first (`budgets.holding_up`)."""

    owner_id: int
    pool: str
    cost: float
    timeout: float
    stated: bool
    found: list[dict[str, Any]]

    @property
    def is_met(self) -> bool:
        if not self.found:
            return True
        return self.stated and all(one["free"] >= self.cost and not one["barred"] for one in self.found)


def need_of(run: Run, step: Step) -> Need | None:
    """None when its pool is gone."""
    try:
        pool = pools.get_pool(run.team_id, step.pool)
    except PoolNotFound:
        return None
    document, key = Document.model_validate(document_of(run)), step.key.rpartition(".")[2]
    definition = next((one for _, one in walk(document.steps, "steps") if one.id == key), None)
    timeout, stated = 0.0, True
    if isinstance(definition, CallingStep):
        timeout = document.timeout_of(definition)
        stated = document.states_timeout(definition) or document.timeout is not None
    cost = timeout * budgets.per_second(pool.rate) / pool.settings["concurrency"]
    found = budgets.holding_up(run.team_id, pool.id, pool.name, pool.team_id, run.workflow.name)
    return Need(pool.team_id, pool.name, cost, timeout, stated, found)
