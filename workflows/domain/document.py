"""The workflow document, typed: what the canvas edits, the SDK compiles to, and versions store."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

from pydantic import ConfigDict, Field

from workflows.domain.durations import Seconds
from workflows.domain.steps import (
    AnyStep,
    CallingStep,
    Flag,
    LoopStep,
    Name,
    Part,
    Retry,
    Step,
    Whole,
    WorkflowStep,
)

API_VERSION = "agentainer.flow/v1"
DEFAULT_TIMEOUT = 300.0
MAX_STEPS = 10_000
PRIORITIES = (-100, 100)


class Defaults(Part):
    """What steps take when they do not say themselves."""

    pool: Name | None = None
    timeout: Seconds | None = None
    retry: Retry | None = None


class Position(Part):
    x: float
    y: float


class Scaling(Part):
    """How the pools of the workflow's steps follow their load: those that the document makes, and the shared
    ones that have no policy of their own. What is left out is the preset's."""

    enabled: Flag = Field(default=True, description="false: pools make agents for the work at hand only")
    policy: Literal["aggressive", "balanced", "conservative", "reactive"] = "balanced"
    min: Whole | None = Field(default=None, ge=0, le=1000)
    max: Whole | None = Field(default=None, ge=1, le=1000)
    metrics: tuple[Literal["queue_depth", "response_time", "utilization", "schedule"], ...] | None = None
    target_utilization: float | None = Field(default=None, gt=0, le=1)
    scale_up_threshold: float | None = Field(default=None, gt=0, le=1)
    scale_down_threshold: float | None = Field(default=None, gt=0, le=1)
    cooldown: Seconds | None = None
    up_window: Seconds | None = None
    down_window: Seconds | None = None
    min_idle: Whole | None = Field(default=None, ge=0, le=1000)
    prediction: Literal["off", "on"] | Flag | None = Field(
        default=None, description="on: a forecast of the load is a floor of the size, while it pays"
    )
    predictor: Literal["naive", "ml-based"] | None = None
    prefer_spot: Flag | None = None
    spot_fallback: Flag | None = None
    max_cost_per_hour: float | None = Field(default=None, ge=0, description="Of each pool's agents")

    def as_policy(self) -> dict[str, Any]:
        """As `scaling` takes it."""
        own = self.model_dump(exclude={"enabled", "policy"}, exclude_none=True)
        return {"preset": self.policy, "mode": "act" if self.enabled else "off", **own}


class DeclaredTrigger(Part):
    """Starts runs by itself; made, changed and removed with the document. `config` is what its kind needs."""

    name: Name
    kind: Literal["schedule", "webhook", "event"]
    config: dict[str, Any] = Field(default_factory=dict)
    params: dict[str, Any] = Field(default_factory=dict, description="Of every run; no secrets")
    enabled: Flag | None = Field(default=None, description="Left out: on at first, then as people set it")


class Document(Part):
    model_config = ConfigDict(extra="forbid", frozen=True, title="Agentainer Flow workflow")

    api_version: Literal["agentainer.flow/v1"] = Field(default="agentainer.flow/v1", alias="apiVersion")
    name: Name
    description: str = Field(default="", max_length=4000)
    params: dict[str, Any] | None = Field(default=None, description="JSON Schema of the run's params")
    defaults: Defaults = Defaults()
    max_parallel: Whole | None = Field(default=None, ge=1, le=10_000)
    max_concurrent_runs: Whole | None = Field(
        default=None, ge=1, le=10_000, description="More runs than this wait for their turn"
    )
    priority: Whole = Field(
        default=0, ge=PRIORITIES[0], le=PRIORITIES[1], description="Higher runs are served first"
    )
    timeout: Seconds | None = Field(default=None, description="Of a whole run, from its start")
    failure_strategy: Literal["fail_fast", "continue"] = Field(
        default="fail_fast",
        description="After a step failed: stop the rest, or go on with what does not need it",
    )
    steps: tuple[Step, ...] = Field(default=(), max_length=MAX_STEPS)
    scaling: Scaling | None = None
    triggers: tuple[DeclaredTrigger, ...] = Field(default=(), max_length=100)
    output: Any = None
    layout: dict[str, Position] = Field(default_factory=dict)

    def step(self, key: str) -> AnyStep:
        """By the step's key in a run: its id, or `loop.3.id` for a step of a loop's fourth iteration."""
        return self.by_id[key.rpartition(".")[2]]

    @cached_property
    def by_id(self) -> dict[str, AnyStep]:
        """Every step, those inside loops too: no two have the same id."""
        return {step.id: step for _path, step in self.all_steps()}

    def all_steps(self) -> Iterator[tuple[str, AnyStep]]:
        """Every step with its JSON path, those inside loops too."""
        yield from walk(self.steps, "steps")

    def timeout_of(self, step: CallingStep) -> float:
        """Seconds that one attempt of the step may take."""
        for seconds in (step.timeout, self.defaults.timeout):
            if seconds is not None:
                return seconds
        return DEFAULT_TIMEOUT

    def states_timeout(self, step: CallingStep) -> bool:
        """Whether somebody wrote down how long an attempt may take."""
        return step.timeout is not None or self.defaults.timeout is not None

    def retry_of(self, step: CallingStep | WorkflowStep) -> Retry:
        return step.retry or self.defaults.retry or Retry()


def walk(steps: tuple[AnyStep, ...], path: str) -> Iterator[tuple[str, AnyStep]]:
    for place, step in enumerate(steps):
        here = f"{path}[{place}]"
        yield here, step
        if isinstance(step, LoopStep):
            yield from walk(step.steps, f"{here}.steps")


def json_schema() -> dict[str, Any]:
    """The document's JSON Schema (draft 2020-12), as published at /api/v1/schemas/workflow.json."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Document.model_json_schema(by_alias=True),
    }
