"""What starts runs by itself: the settings of each kind of trigger, and the params of the runs it starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, ValidationError

from aflow_site.kernel.errors import Fault
from workflows.domain.expressions import compile_template
from workflows.domain.references import Surroundings, expression_faults
from workflows.domain.schedules import CatchUp, cron_problem, known_zones
from workflows.domain.steps import Name, Part
from workflows.domain.work import ExpressionError

MAX_CHAIN = 10  # runs that may start each other by their ends before the next one is refused

EndState = Literal["completed", "failed", "cancelled"]
Overlap = Literal["skip", "queue", "allow"]


class Kind(StrEnum):
    SCHEDULE = "schedule"
    WEBHOOK = "webhook"
    EVENT = "event"  # the end of another workflow's run


class ScheduleConfig(Part):
    """`catch_up`: which of the moments that were missed (the platform was down) fire afterwards. `overlap`:
    what happens when a run of this trigger is still going on."""

    cron: str = Field(max_length=200)
    timezone: str = Field(default="UTC", max_length=100)
    catch_up: CatchUp = "last"
    overlap: Overlap = "queue"


class WebhookConfig(Part):
    """`map` gives each param an expression over `body` and `headers`; without it the body's fields are the
    params. `signature_header` is another name for the header with the signature."""

    signature_header: str | None = Field(default=None, pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")
    map: dict[str, Any] | None = None


class EventConfig(Part):
    """`map` gives each param an expression over `run`, the one that has ended."""

    workflow: Name
    states: tuple[EndState, ...] = Field(min_length=1)
    map: dict[str, Any] | None = None


Config = ScheduleConfig | WebhookConfig | EventConfig

_MODELS: dict[Kind, type[Config]] = {
    Kind.SCHEDULE: ScheduleConfig,
    Kind.WEBHOOK: WebhookConfig,
    Kind.EVENT: EventConfig,
}
_ROOTS = {Kind.WEBHOOK: frozenset({"body", "headers"}), Kind.EVENT: frozenset({"run"})}


def read_config(kind: Kind, config: Any) -> Config:
    """The settings that a row holds; `faults_of` has found nothing wrong with them."""
    return _MODELS[kind].model_validate(config)


def faults_of(kind: Kind, config: Any, params: Any, now: datetime) -> list[Fault]:
    """Everything that is wrong with a trigger's settings and fixed params."""
    if not isinstance(params, dict):
        return [Fault("params", "params is an object.")]
    if not isinstance(config, dict):
        return [Fault("config", "config is an object.")]
    try:
        read = read_config(kind, config)
    except ValidationError as exc:
        details = exc.errors(include_url=False)
        # A list whose members are at fault is not too short as well.
        inner = {detail["loc"][:-1] for detail in details}
        return [_shape_fault(detail) for detail in details if detail["loc"] not in inner]
    if isinstance(read, ScheduleConfig):
        return list(_schedule_faults(read, now))
    return list(_map_faults(kind, read.map, params))


_SENTENCES = {
    "missing": "This field is required; add it.",
    "extra_forbidden": "This field is not known here; remove it, or check its spelling.",
}


def _shape_fault(detail: Any) -> Fault:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"])
    message = _SENTENCES.get(detail["type"]) or str(detail["msg"]).replace(
        "Input should be", "This should be"
    )
    return Fault(f"config{where}", message if message.endswith(".") else f"{message}.")


def _schedule_faults(config: ScheduleConfig, now: datetime) -> Iterator[Fault]:
    if config.timezone not in known_zones():
        near = get_close_matches(config.timezone, known_zones(), n=1)
        hint = f"did you mean {near[0]}?" if near else "write one such as Europe/Berlin, or UTC."
        yield Fault("config.timezone", f"There is no time zone {config.timezone}; {hint}")
        return
    problem = cron_problem(config.cron, config.timezone, now)
    if problem is not None:
        yield Fault("config.cron", problem)


def _map_faults(kind: Kind, mapping: Mapping[str, Any] | None, params: Mapping[str, Any]) -> Iterator[Fault]:
    around = Surroundings(None, _ROOTS[kind], frozenset(), lambda _step: False)
    for name, template in (mapping or {}).items():
        if name in params:
            yield Fault(f"config.map.{name}", f"{name} stands in params too; keep one of them.")
        yield from expression_faults(template, f"config.map.{name}", around)


def params_from(
    mapping: Mapping[str, Any] | None, fixed: Mapping[str, Any], scope: Mapping[str, Any]
) -> dict[str, Any]:
    """The params of a run: what `mapping` makes of `scope`, and the fixed ones.

    Raises ExpressionError with the name of the param whose expression has no value.
    """
    found: dict[str, Any] = {}
    for name, template in (mapping or {}).items():
        try:
            found[name] = compile_template(template)(scope)
        except ExpressionError as exc:
            raise ExpressionError(f"{name}: {exc}") from exc
    return {**found, **fixed}
