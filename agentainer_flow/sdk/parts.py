"""What a workflow class is made of: what all its steps share, and the steps that have no body of their own.

Does not: check values (`bodiless` and `decorators` do, where they are written), or know the other steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from agentainer_flow.errors import DefinitionError
from agentainer_flow.sdk import options
from agentainer_flow.sdk.options import Condition, RetryPolicy

Fields = dict[str, Any]  # of a step in the document


@dataclass(frozen=True, eq=False, kw_only=True)
class Part:
    """`depends_on` None: the step before it. `compensate`: the step that undoes this one. `lead`: attributes
    of the steps that were made with this one and come before it; their ids follow its own."""

    step_type: ClassVar[str] = ""

    id: str | None = None  # None: the name where that can be one, else the attribute
    name: str | None = None
    depends_on: tuple[Reference, ...] | None = None
    when: Condition | None = None
    always_run: bool = False
    compensate: Reference | None = None
    lead: tuple[str, ...] = ()
    attribute: str = field(default="", init=False, repr=False)  # by which the class knows it

    def __set_name__(self, _owner: type, name: str) -> None:
        if not self.attribute:
            object.__setattr__(self, "attribute", name)

    def common_fields(self, find: Find) -> Fields:
        """Those that every type of step has, without `id` and `needs`."""
        found: Fields = {}
        if self.when is not None:
            found["when"] = self.when
        if self.always_run:
            found["always_run"] = True
        if self.compensate is not None:
            found["compensate"] = find(self.compensate)
        return found

    def own_fields(self, find: Find) -> Fields:
        """Those of its type that need to know no more than the ids of other steps."""
        return {}


# A step by its name or its method's, or a step without a body itself.
Reference = str | Part
# What people write for one.
StepLike = str | Part | Callable[..., Any]
Find = Callable[[Reference], str]


@dataclass(frozen=True, eq=False)
class Case:
    """One way of a branch. Made by `case`."""

    when: Condition
    then: tuple[Reference, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Branch(Part):
    """Made by `branch`."""

    step_type: ClassVar[str] = "branch"
    cases: tuple[Case, ...]
    otherwise: tuple[Reference, ...] = ()
    title: str | None = None

    @property
    def targets(self) -> Iterator[Reference]:
        for one in self.cases:
            yield from one.then
        yield from self.otherwise

    def own_fields(self, find: Find) -> Fields:
        cases = [{"when": one.when, "then": [find(step) for step in one.then]} for one in self.cases]
        named: Fields = {} if self.title is None else {"name": self.title}
        return {**named, "cases": cases, "else": [find(step) for step in self.otherwise]}


@dataclass(frozen=True, eq=False, kw_only=True)
class Loop(Part):
    """Made by `loop`. `given` tells whether `input` was."""

    step_type: ClassVar[str] = "loop"
    steps: tuple[Reference, ...]
    until: Condition
    max_iterations: int = 100
    input: Any = None
    given: bool = False

    def own_fields(self, find: Find) -> Fields:
        return {"until": self.until, "max_iterations": self.max_iterations}


@dataclass(frozen=True, eq=False, kw_only=True)
class Wait(Part):
    """Made by `wait`."""

    step_type: ClassVar[str] = "wait"
    duration: str | float | None = None
    until: str | None = None
    event: str | None = None
    timeout: str | float | None = None

    def own_fields(self, find: Find) -> Fields:
        fields = {
            "duration": self.duration,
            "until": self.until,
            "event": self.event,
            "timeout": self.timeout,
        }
        return without_none(fields)


@dataclass(frozen=True, eq=False, kw_only=True)
class Approval(Part):
    """Made by `approval`."""

    step_type: ClassVar[str] = "approval"
    prompt: str
    form: Mapping[str, Any] | None = None
    approvers: tuple[str, ...] | None = None
    timeout: str | float | None = None
    on_timeout: str | None = None
    on_reject: str | None = None

    def own_fields(self, find: Find) -> Fields:
        fields = {
            "prompt": self.prompt,
            "form": None if self.form is None else dict(self.form),
            "approvers": None if self.approvers is None else list(self.approvers),
            "timeout": self.timeout,
            "on_timeout": self.on_timeout,
            "on_reject": self.on_reject,
        }
        return without_none(fields)


@dataclass(frozen=True, eq=False, kw_only=True)
class SubWorkflow(Part):
    """Made by `subworkflow`. `cls`: the class that was given for the name."""

    step_type: ClassVar[str] = "workflow"
    workflow: str
    cls: type | None = None
    version: int | None = None
    params: Any = None
    timeout: str | float | None = None
    retry_policy: RetryPolicy | None = None

    def own_fields(self, find: Find) -> Fields:
        fields = {
            "workflow": self.workflow,
            "version": self.version,
            "params": self.params,
            "timeout": self.timeout,
            "retry": None if self.retry_policy is None else self.retry_policy.as_document(),
        }
        return without_none(fields)


def without_none(fields: Mapping[str, Any]) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}


# --- what is written for steps ----------------------------------------------------------------------------


def reference(where: str, argument: str, value: object) -> Reference:
    """A method is known by its name: a subclass may put another in its place."""
    if isinstance(value, Part) or (isinstance(value, str) and value.strip()):
        return value
    name = getattr(value, "__name__", None) if callable(value) else None
    if not isinstance(name, str):
        raise DefinitionError(f"{where}: {argument} takes names of steps, not {value!r}.")
    return name


def references(where: str, argument: str, given: object) -> tuple[Reference, ...]:
    """One of them or several, each once, in their order."""
    many = [given] if isinstance(given, str | Part) or callable(given) else given
    if not isinstance(many, Iterable):
        raise DefinitionError(f"{where}: {argument} takes names of steps, not {given!r}.")
    return tuple(dict.fromkeys(reference(where, argument, one) for one in many))


def shared(where: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The checked arguments of a `Part`, out of those that were given."""
    name, depends_on, when, compensate = (
        given.get(argument) for argument in ("name", "depends_on", "when", "compensate")
    )
    return {
        "name": None if name is None else options.text(where, "name", name),
        "depends_on": None if depends_on is None else references(where, "depends_on", depends_on),
        "when": None if when is None else options.condition(where, "when", when),
        "always_run": options.flag(where, "always_run", given.get("always_run", False)),
        "compensate": None if compensate is None else reference(where, "compensate", compensate),
    }
