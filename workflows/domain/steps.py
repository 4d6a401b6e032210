"""The step types of the workflow document. The models are frozen: a version never changes.

Shapes only: what a step means is checked in `workflows.domain.validation`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, model_validator

from aflow_site.kernel import requirements as packages
from workflows.domain.durations import Seconds

MAX_ITERATIONS = 10_000

# JSON's own types: `true` is no number, and "5" is text.
Whole = Annotated[int, Strict()]
Share = Annotated[float, Strict(), Field(ge=0, le=1)]
Flag = Annotated[bool, Strict()]
# A reference as container engines read it: [registry/]path[:tag][@digest].
Image = Annotated[
    str,
    Field(
        max_length=255,
        pattern=r"^(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
        r"(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
        r"(?:@sha256:[0-9a-f]{64})?$",
        description="An image such as aggregator:latest or registry.example/team/app:1.2",
    ),
]

# A little less than the longest argument that Linux passes to a program.
Word = Annotated[str, Field(max_length=100_000)]
Line = Annotated[str, Field(min_length=1, max_length=100_000)]

Requirement = Annotated[
    str,
    Field(max_length=packages.LONGEST, description="A Python package, such as requests==2.32.3"),
    AfterValidator(packages.canonical),
]

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
ErrorStrategy = Literal["fail_fast", "continue", "continue_on_partial"]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Retry(Part):
    """When an attempt fails: how often to try, and how long to wait before each new attempt."""

    max_attempts: Whole = Field(default=1, ge=1, le=100)
    backoff: Literal["constant", "linear", "exponential"] = "exponential"
    delay: Seconds = 1.0
    max_delay: Seconds = 30.0
    jitter: Flag = True
    retry_on: tuple[str, ...] | None = Field(
        default=None,
        max_length=50,
        description="Types of errors worth another attempt, such as TimeoutError or timeout; left out: all",
    )


class Run(Part):
    """What the agent does. Exactly one of `code`, `handler`, `image` and `command`; a command may say in
    which image it runs."""

    code: str | None = Field(default=None, max_length=1_000_000, description="Python source with a `main`")
    handler: str | None = Field(
        default=None, pattern=r"^[\w.]+:[\w.]+$", description="module:function out of a bundle"
    )
    bundle: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="The bundle's SHA-256, for `handler`"
    )
    image: Image | None = None
    path: str | None = Field(default=None, pattern=r"^/", description="Where the image listens; /invoke")
    command: Line | tuple[Word, ...] | None = Field(
        default=None,
        description="A program and its arguments, or a line for /bin/sh: it gets the input as JSON on stdin, "
        "and prints the output as JSON. It runs in `image`; left out, in that of the built-in agent",
    )
    requirements: tuple[Requirement, ...] = Field(
        default=(),
        max_length=packages.MOST,
        description="Packages that `code` and `handler` import: an image with them is built once, and its "
        "agents run the step",
    )

    @model_validator(mode="after")
    def _one_behaviour(self) -> Run:
        ways = ("code", "handler", "image") if self.command is None else ("code", "handler", "command")
        given = [name for name in ways if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of code, handler, image and command")
        if (self.handler is None) != (self.bundle is None):
            raise ValueError("handler and bundle belong together: upload the bundle, then name both")
        if self.path is not None and (self.image is None or self.command is not None):
            raise ValueError("path goes with an image that answers by itself")
        if self.command is not None and not any(self.words[:1]):
            raise ValueError("command names no program; write [program, argument, …], or a line for /bin/sh")
        if self.requirements and self.code is None and self.handler is None:
            raise ValueError("requirements go with code and handler; an image brings its own packages")
        if any("\0" in word for word in self.words):
            raise ValueError("command has a NUL character, at which arguments end; take it out")
        return self

    @property
    def words(self) -> tuple[str, ...]:
        """The program of `command` and its arguments; empty without one."""
        if isinstance(self.command, str):
            return ("/bin/sh", "-c", self.command)
        return self.command or ()

    @property
    def packages(self) -> tuple[str, ...]:
        """The requirements, each once, whatever their order. They are canonical since they were read."""
        return tuple(sorted(set(self.requirements)))

    @property
    def needs_agent(self) -> bool:
        """Whether the built-in agent must be laid on the image, which need not speak the agent contract."""
        return self.command is not None and self.image is not None


class PoolOptions(Part):
    """A pool of the step's own, named `<workflow>-<step>`.

    `size` sets both bounds of a warm pool (and the upper one of a cold pool); `min_size` and `max_size` set
    them one by one. `mode: standard` gives every lease an agent of its own, used once.
    """

    mode: Literal["pooled", "standard"] = "pooled"
    size: Whole | None = Field(default=None, ge=1, le=1000)
    min_size: Whole | None = Field(default=None, ge=0, le=1000)
    max_size: Whole | None = Field(default=None, ge=1, le=1000)
    warm_up: Flag | None = Field(default=None, description="Start min_size agents before the first lease")
    max_uses: Whole | None = Field(
        default=None, ge=1, le=1_000_000_000, description="Requests before an agent is replaced"
    )
    idle_timeout: Seconds | None = None
    capacity_type: Literal["any", "on_demand", "spot"] | None = Field(
        default=None, description="The kind of node that its agents run on"
    )
    zone: str | None = Field(default=None, max_length=63, description="Of these nodes; empty: any")
    env: dict[str, str] | None = Field(default=None, description="Environment of the agents; no secrets")
    cpu: float | None = Field(default=None, gt=0, description="CPUs of each agent")
    memory: Whole | None = Field(default=None, gt=0, description="Bytes of each agent")
    pids: Whole | None = Field(default=None, gt=0, description="Processes of each agent")


class BaseStep(Part):
    """What every step has."""

    id: StepId
    name: str | None = Field(default=None, max_length=120)
    needs: tuple[StepId, ...] = ()
    when: str | bool | None = Field(
        default=None, description="A condition; when it is false, the step is skipped"
    )
    always_run: Flag = Field(default=False, description="Run even after a failure or a cancellation")
    compensate: StepId | None = Field(default=None, description="The step that undoes this one")


QUANTUM = 1.0  # seconds that a map keeps an agent while others may wait for it


class CallingStep(BaseStep):
    """A step that calls agents."""

    input: Any = None
    pool: Name | PoolOptions | None = None
    timeout: Seconds | None = Field(default=None, description="Of one attempt")
    total_timeout: Seconds | None = Field(
        default=None, description="Of the whole step, with its waits and attempts"
    )
    retry: Retry | None = None
    error_strategy: ErrorStrategy = "fail_fast"

    @property
    @abstractmethod
    def runs(self) -> tuple[Run, ...]:
        """What its agents run: one behaviour, or two for a mapreduce with a reducer."""


class TaskStep(CallingStep):
    """One call. With `error_strategy: continue`, its failure is recorded and the run goes on."""

    type: Literal["task"]
    run: Run
    error_strategy: Literal["fail_fast", "continue"] = "fail_fast"

    @property
    def runs(self) -> tuple[Run, ...]:
        return (self.run,)


class _OverItems(CallingStep):
    """Calls for each element of a list that is known only at run time."""

    over: Any
    as_: str = Field(default="item", alias="as", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=63)
    max_parallel: Whole | None = Field(default=None, ge=1, le=10_000)
    batch_size: Whole = Field(default=1, ge=1, le=10_000)
    min_success_rate: Share | None = None


class MapStep(_OverItems):
    """One call for each element of a list; its output is the list of their outputs, in order."""

    type: Literal["map"]
    run: Run

    @property
    def runs(self) -> tuple[Run, ...]:
        return (self.run,)


class ReduceStep(CallingStep):
    """One call over the results of a map. `streaming`: it starts with the map, gets results as they come."""

    type: Literal["reduce"]
    run: Run
    streaming: Flag = False
    error_strategy: Literal["fail_fast", "continue"] = "fail_fast"

    @property
    def runs(self) -> tuple[Run, ...]:
        return (self.run,)


class MapReduceStep(_OverItems):
    """A map and a reduce as one step; without a reducer its output is the list of the mapper's outputs."""

    type: Literal["mapreduce"]
    mapper: Run
    reducer: Run | None = None

    @property
    def runs(self) -> tuple[Run, ...]:
        return (self.mapper,) if self.reducer is None else (self.mapper, self.reducer)


class Case(Part):
    when: str | bool
    then: tuple[StepId, ...]


class BranchStep(BaseStep):
    """Conditions choose which of the named steps run: the first case that holds, otherwise `else`."""

    type: Literal["branch"]
    cases: tuple[Case, ...] = Field(min_length=1, max_length=100)
    else_: tuple[StepId, ...] = Field(default=(), alias="else")

    @property
    def targets(self) -> tuple[str, ...]:
        """Every step that it may choose, once, in their order."""
        named = [step for case in self.cases for step in case.then]
        return tuple(dict.fromkeys([*named, *self.else_]))


class LoopStep(BaseStep):
    """Runs its steps again and again until a condition holds.

    Inside, `index` is the number of the iteration (from 0) and `item` what the last one gave: at first the
    loop's `input`. An iteration gives what its last step gives, and the loop what its last iteration gave.
    """

    type: Literal["loop"]
    steps: tuple[Step, ...] = Field(min_length=1, max_length=1000)
    until: str | bool
    max_iterations: Whole = Field(default=100, ge=1, le=MAX_ITERATIONS)
    input: Any = None


class WorkflowStep(BaseStep):
    """Runs another workflow of the team, and gives its output."""

    type: Literal["workflow"]
    workflow: Name
    version: Whole | None = Field(default=None, ge=1, description="Left out: the newest when it starts")
    params: Any = None
    timeout: Seconds | None = Field(default=None, description="Of the run that it starts")
    retry: Retry | None = None


class ApprovalStep(BaseStep):
    """A person decides, within a deadline. Its output is what was decided, by whom and with which data."""

    type: Literal["approval"]
    prompt: str = Field(default="", max_length=4000)
    form: dict[str, Any] | None = Field(default=None, description="JSON Schema of the decision's data")
    approvers: tuple[Annotated[str, Field(pattern=r"^(role|user):.+$", max_length=200)], ...] = Field(
        default=("role:operator",), min_length=1, max_length=100
    )
    timeout: Seconds | None = None
    on_timeout: Literal["reject", "approve"] = "reject"
    on_reject: Literal["fail", "continue"] = Field(
        default="fail", description="continue: the output tells, and a branch may look at it"
    )


class WaitStep(BaseStep):
    """Waits for a time, or for an event that somebody sends to the run. Exactly one of the three."""

    type: Literal["wait"]
    duration: Seconds | str | None = None
    until: str | None = Field(default=None, description="A time (ISO 8601), or an expression that gives one")
    event: str | None = Field(default=None, min_length=1, max_length=200)
    timeout: Seconds | None = Field(default=None, description="Of waiting for the event")

    @model_validator(mode="after")
    def _one_reason(self) -> WaitStep:
        if sum(value is not None for value in (self.duration, self.until, self.event)) != 1:
            raise ValueError("give exactly one of duration, until and event")
        if self.timeout is not None and self.event is None:
            raise ValueError("timeout goes with event")
        return self


Step = Annotated[
    TaskStep
    | MapStep
    | ReduceStep
    | MapReduceStep
    | BranchStep
    | LoopStep
    | WorkflowStep
    | ApprovalStep
    | WaitStep,
    Field(discriminator="type"),
]
LoopStep.model_rebuild()

ItemsStep = MapStep | MapReduceStep
AnyStep = (
    TaskStep
    | MapStep
    | ReduceStep
    | MapReduceStep
    | BranchStep
    | LoopStep
    | WorkflowStep
    | ApprovalStep
    | WaitStep
)
