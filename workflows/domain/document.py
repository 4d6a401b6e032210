"""The workflow document, typed: what the canvas edits, the SDK compiles to, and versions store.

`parse` checks the shape and gives every fault at once; `workflows.domain.validation` checks the meaning
(cycles, references, limits). The models are frozen: a version never changes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from workflows.domain.durations import Seconds

API_VERSION = "agentainer.flow/v1"
DEFAULT_TIMEOUT = 300.0
MAX_STEPS = 10_000

Name = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$",
        description="Lower-case letters, digits, - and _; up to 63 characters",
    ),
]
# Expressions name steps (`steps.count.output`), so an id is an identifier of that language, dashes allowed.
StepId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$",
        description="A letter or _, then letters, digits, - and _; up to 63 characters",
    ),
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Retry(_Part):
    """When an attempt fails: how often to try, and how long to wait before each new attempt."""

    max_attempts: int = Field(default=1, ge=1, le=100)
    backoff: Literal["constant", "linear", "exponential"] = "exponential"
    delay: Seconds = 1.0
    max_delay: Seconds = 30.0
    jitter: bool = True


class Run(_Part):
    """What the agent does. Exactly one of `code`, `handler` and `image`."""

    code: str | None = Field(default=None, max_length=1_000_000, description="Python source with a `main`")
    handler: str | None = Field(
        default=None, pattern=r"^[\w.]+:[\w.]+$", description="module:function out of a bundle"
    )
    bundle: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="The bundle's SHA-256, for `handler`"
    )
    image: str | None = Field(default=None, min_length=1, max_length=255)
    path: str | None = Field(default=None, pattern=r"^/", description="Where the image listens; /invoke")

    @model_validator(mode="after")
    def _one_behaviour(self) -> Run:
        given = [name for name in ("code", "handler", "image") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of code, handler and image")
        if (self.handler is None) != (self.bundle is None):
            raise ValueError("handler and bundle belong together: upload the bundle, then name both")
        if self.path is not None and self.image is None:
            raise ValueError("path goes with image")
        return self


class PoolOptions(_Part):
    """A pool of the step's own, named `<workflow>-<step>`.

    `size` sets both bounds of a warm pool (and the upper one of a cold pool); `min_size` and `max_size` set
    them one by one. `mode: standard` gives every lease an agent of its own, used once.
    """

    mode: Literal["pooled", "standard"] = "pooled"
    size: int | None = Field(default=None, ge=1, le=1000)
    min_size: int | None = Field(default=None, ge=0, le=1000)
    max_size: int | None = Field(default=None, ge=1, le=1000)
    warm_up: bool | None = Field(default=None, description="Start min_size agents before the first lease")
    max_uses: int | None = Field(default=None, ge=1, description="Requests before an agent is replaced")
    idle_timeout: Seconds | None = None


class Defaults(_Part):
    """What steps take when they do not say themselves."""

    pool: Name | None = None
    timeout: Seconds | None = None
    retry: Retry | None = None


class _Step(_Part):
    id: StepId
    name: str | None = Field(default=None, max_length=120)
    needs: tuple[StepId, ...] = ()
    run: Run
    input: Any = None
    pool: Name | PoolOptions | None = None
    timeout: Seconds | None = Field(default=None, description="Of one attempt")
    retry: Retry | None = None


class TaskStep(_Step):
    """One call."""

    type: Literal["task"]


class MapStep(_Step):
    """One call for each element of a list that is known only at run time."""

    type: Literal["map"]
    over: Any
    as_: str = Field(default="item", alias="as", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=63)
    max_parallel: int | None = Field(default=None, ge=1, le=10_000)
    batch_size: int = Field(default=1, ge=1, le=10_000)
    error_strategy: Literal["fail_fast", "continue", "continue_on_partial"] = "fail_fast"
    min_success_rate: float | None = Field(default=None, ge=0, le=1)


class ReduceStep(_Step):
    """One call over the results of a map."""

    type: Literal["reduce"]


Step = Annotated[TaskStep | MapStep | ReduceStep, Field(discriminator="type")]


class Position(_Part):
    x: float
    y: float


class Document(_Part):
    model_config = ConfigDict(extra="forbid", frozen=True, title="Agentainer Flow workflow")

    api_version: Literal["agentainer.flow/v1"] = Field(default="agentainer.flow/v1", alias="apiVersion")
    name: Name
    description: str = Field(default="", max_length=4000)
    params: dict[str, Any] | None = Field(default=None, description="JSON Schema of the run's params")
    defaults: Defaults = Defaults()
    max_parallel: int | None = Field(default=None, ge=1, le=10_000)
    steps: tuple[Step, ...] = Field(default=(), max_length=MAX_STEPS)
    output: Any = None
    layout: dict[str, Position] = Field(default_factory=dict)

    def step(self, step_id: str) -> TaskStep | MapStep | ReduceStep:
        return next(step for step in self.steps if step.id == step_id)

    def timeout_of(self, step: _Step) -> float:
        """Seconds that one attempt of the step may take."""
        return step.timeout or self.defaults.timeout or DEFAULT_TIMEOUT

    def retry_of(self, step: _Step) -> Retry:
        return step.retry or self.defaults.retry or Retry()


def json_schema() -> dict[str, Any]:
    """The document's JSON Schema (draft 2020-12), as published at /api/v1/schemas/workflow.json."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Document.model_json_schema(by_alias=True),
    }
