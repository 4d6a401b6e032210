"""Patterns that are several steps, written as one attribute: `pipeline` and `scatter_gather`.

Naming: `report = pipeline(fetch, clean)` makes the steps `report_fetch` and `report`; the last one always has
the attribute's name, and its output is the pattern's.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from agentainer_flow.errors import DefinitionError
from agentainer_flow.sdk import options
from agentainer_flow.sdk.bodiless import Steps, checked
from agentainer_flow.sdk.mapreducing import Worker, worker
from agentainer_flow.sdk.options import Condition, Duration, ErrorHandler, RetryPolicy
from agentainer_flow.sdk.parts import Fields, Find, Part, Reference, shared, without_none

_HAND_ON = "def main(value):\n    return value\n"
_TOGETHER = "def main(**results):\n    return results\n"
INPUT = "input"  # what the first step of a scatter_gather is called by


@dataclass(frozen=True, eq=False, kw_only=True)
class Call(Part):
    """One call of a worker (None: the code in `code`).

    `takes`: the step whose output it gets; None: what comes before, or of `gathers` each output by its name.
    """

    step_type: ClassVar[str] = "task"
    worker: Worker | None
    role: str
    code: str = ""
    takes: Reference | None = None
    gathers: Mapping[str, Reference] | None = None
    timeout: str | float | None = None
    retry_policy: RetryPolicy | None = None
    error_strategy: str | None = None

    def own_fields(self, find: Find) -> Fields:
        fields = {
            "timeout": self.timeout,
            "retry": None if self.retry_policy is None else self.retry_policy.as_document(),
            "error_strategy": self.error_strategy,
        }
        return without_none(fields)


@dataclass(frozen=True, eq=False, kw_only=True)
class Group(Part):
    """Several steps. `common`: what all of them share."""

    common: Mapping[str, Any]

    @abstractmethod
    def expanded(self, name: str) -> dict[str, Part]:
        """Attribute -> step, in the order of definition; `name` is the group's attribute, and the last."""

    def _first(self) -> dict[str, Any]:
        return {"depends_on": self.depends_on, "when": self.when, "always_run": self.always_run}

    def _later(self, *needs: str) -> dict[str, Any]:
        return {"depends_on": needs, "always_run": self.always_run}


@dataclass(frozen=True, eq=False, kw_only=True)
class Pipeline(Group):
    stages: tuple[Worker, ...]

    def expanded(self, name: str) -> dict[str, Part]:
        *before, _ = _names(name, self.stages)
        names = [*before, name]
        found: dict[str, Part] = {}
        for place, (own, stage) in enumerate(zip(names, self.stages, strict=True)):
            earlier = names[place - 1] if place else None
            needs = self._first() if earlier is None else self._later(earlier)
            more: dict[str, Any] = {"name": self.name, "lead": tuple(before)} if own == name else {}
            found[own] = Call(worker=stage, role="stage", takes=earlier, **needs, **more, **self.common)
        return found


@dataclass(frozen=True, eq=False, kw_only=True)
class ScatterGather(Group):
    workers: tuple[Worker, ...]
    gather: Worker | None
    error_strategy: str | None

    def expanded(self, name: str) -> dict[str, Part]:
        first, names = f"{name}_{INPUT}", _names(name, self.workers)
        found: dict[str, Part] = {
            first: Call(worker=None, role="input", code=_HAND_ON, **self._first(), **self.common)
        }
        for own, one in zip(names, self.workers, strict=True):
            found[own] = Call(
                worker=one,
                role="worker",
                takes=first,
                error_strategy=self.error_strategy,
                **self._later(first),
                **self.common,
            )
        found[name] = Call(
            worker=self.gather,
            role="gather",
            code=_TOGETHER,
            gathers={own.removeprefix(f"{name}_"): own for own in names},
            name=self.name,
            lead=(first, *names),
            **self._later(*names),
            **self.common,
        )
        return found


def _names(name: str, workers: Iterable[Worker]) -> list[str]:
    """The attribute of each worker's step: the group's and the worker's own name, each once."""
    found: list[str] = []
    for one in workers:
        short = _short(one) if isinstance(one, str) else one.__name__
        taken = {*found, f"{name}_{INPUT}"}
        number, own = 1, f"{name}_{short}"
        while own in taken:
            number += 1
            own = f"{name}_{short}_{number}"
        found.append(own)
    return found


def _short(image: str) -> str:
    """ "team/word-counter:1.2" -> "word_counter"."""
    return re.sub(r"\W", "_", image.rpartition("/")[2].partition("@")[0].partition(":")[0])


@checked()
def pipeline(
    *stages: Worker,
    timeout: Duration | None = None,
    retry_policy: RetryPolicy | None = None,
    name: str | None = None,
    depends_on: Steps | None = None,
    when: Condition | None = None,
    always_run: bool = False,
) -> Pipeline:
    """One stage after the other, each with what the one before it gave; the output is the last one's.

    A stage is an image, a method `(self, ctx, value)` of the class without `@step`, or a function of the
    module, whose first parameter gets the value. The first gets the output of the step before, or the run's
    params. `timeout` (of an attempt) and `retry_policy` hold for each.
    """
    where = "pipeline(…)"
    if not stages:
        raise DefinitionError(f"{where} needs a stage, such as pipeline(fetch, clean).")
    return Pipeline(
        stages=tuple(worker(where, "stage", one) for one in stages),
        common=_common(where, timeout, retry_policy),
        **_shared(where, name, depends_on, when, always_run),
    )


@checked()
def scatter_gather(
    *workers: Worker,
    gather: Worker | None = None,
    timeout: Duration | None = None,
    retry_policy: RetryPolicy | None = None,
    error_strategy: str | ErrorHandler | None = None,
    name: str | None = None,
    depends_on: Steps | None = None,
    when: Condition | None = None,
    always_run: bool = False,
) -> ScatterGather:
    """Gives the same value to several workers at once, and the outputs of all to `gather`, by their names.

    Workers and `gather` are what stages of a `pipeline` are; without `gather` the output is {worker: what it
    gave}. With error_strategy="continue" a worker that fails gives null, and the others go on. The value is
    the output of the step before, or the run's params.
    """
    where = "scatter_gather(…)"
    if len(workers) < 2:
        raise DefinitionError(f"{where} needs two workers or more, such as scatter_gather(left, right).")
    strategy = None
    if error_strategy is not None:
        strategy = options.error_strategy(where, "error_strategy", error_strategy)
        options.choice(where, "error_strategy", strategy, ["fail_fast", "continue"])
    return ScatterGather(
        workers=tuple(worker(where, "worker", one) for one in workers),
        gather=None if gather is None else worker(where, "gather", gather),
        error_strategy=strategy,
        common=_common(where, timeout, retry_policy),
        **_shared(where, name, depends_on, when, always_run),
    )


def _common(where: str, timeout: Any, retry_policy: Any) -> dict[str, Any]:
    found = {
        "timeout": None if timeout is None else options.timeout(where, "timeout", timeout),
        "retry_policy": None if retry_policy is None else options.retry(where, retry_policy),
    }
    return without_none(found)


def _shared(where: str, name: Any, depends_on: Any, when: Any, always_run: Any) -> dict[str, Any]:
    common = {"name": name, "depends_on": depends_on, "when": when, "always_run": always_run}
    return shared(where, common)
