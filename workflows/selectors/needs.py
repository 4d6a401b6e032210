"""What the next calls of a step need of the budgets that pay for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pools.facade import api as pools
from pools.facade.contracts import PoolNotFound, PoolView
from scaling.facade import budgets
from workflows.domain.document import Document, walk
from workflows.domain.pools import pool_uses
from workflows.domain.steps import QUANTUM, CallingStep, MapReduceStep, MapStep
from workflows.models import Run, Step
from workflows.selectors.pool_names import name_of
from workflows.selectors.runs import document_of


@dataclass(frozen=True, slots=True)
class Need:
    """In one pool. `cost` of one call until its time-out of `timeout` seconds, in the currency; `stated`:
    somebody wrote a time-out down. `found`: the enforced budgets that pay, the scarcest first
    (`budgets.holding_up`)."""

    pool: str
    cost: float
    timeout: float
    stated: bool
    found: list[dict[str, Any]]

    @property
    def can_be_met(self) -> bool:
        """Whether the budgets would ever be enough."""
        return not self.found or (self.stated and all(self.cost <= float(one["limit"]) for one in self.found))

    def is_short(self, one: dict[str, Any]) -> bool:
        """Whether this budget has not enough at this moment."""
        return bool(one["free"] < self.cost or one["barred"])


class Needs:
    """One look at many steps: what they share is read once."""

    def __init__(self) -> None:
        self._documents: dict[Any, Document] = {}
        self._pools: dict[tuple[int, str], PoolView | None] = {}
        self._found: dict[tuple[int, str, str], list[dict[str, Any]]] = {}

    def of(self, run: Run, step: Step) -> list[Need]:
        """In each pool that the step's calls may use; pools that are gone are left out."""
        document, key = self._document(run), step.key.rpartition(".")[2]
        definition = next((one for _, one in walk(document.steps, "steps") if one.id == key), None)
        timeout, stated, names = 0.0, True, [step.pool]
        if isinstance(definition, CallingStep):
            timeout = document.timeout_of(definition)
            timeout += QUANTUM if isinstance(definition, MapStep | MapReduceStep) else 0.0
            stated = document.states_timeout(definition) or document.timeout is not None
            names += [name_of(use) for use in pool_uses(document, definition)]
        needs = []
        for name in dict.fromkeys(names):
            if (pool := self._pool(run.team_id, name)) is not None:
                cost = timeout * budgets.per_second(pool.rate)
                needs.append(Need(pool.name, cost, timeout, stated, self._budgets(run, pool)))
        return needs

    def _document(self, run: Run) -> Document:
        key = run.pk if run.document else run.version_id
        if key not in self._documents:
            self._documents[key] = Document.model_validate(document_of(run))
        return self._documents[key]

    def _pool(self, team_id: int, name: str) -> PoolView | None:
        if (team_id, name) not in self._pools:
            try:
                self._pools[team_id, name] = pools.get_pool(team_id, name)
            except PoolNotFound:
                self._pools[team_id, name] = None
        return self._pools[team_id, name]

    def _budgets(self, run: Run, pool: PoolView) -> list[dict[str, Any]]:
        key = (run.team_id, str(pool.id), run.workflow.name)
        if key not in self._found:
            self._found[key] = budgets.holding_up(
                run.team_id, pool.id, pool.name, pool.team_id, run.workflow.name
            )
        return self._found[key]
