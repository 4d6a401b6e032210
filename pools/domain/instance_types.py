"""The instance types that a node group may take, and the template of a machine of each.

A type has a name, a price on demand, a risk, and whatever in its template differs from the group's. Machines
have templates of one type each, where its name and price stand as `instance_type` and `on_demand_price`.
Does not: know what a provider's templates mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aflow_site.kernel.errors import Fault, InvalidInput

Template = Mapping[str, Any]
InstanceType = dict[str, Any]  # {"type", "on_demand_price", "interruption_risk", "template"}

MOST_TYPES = 20
HIGHEST_RISK = 100.0
OF_A_TYPE = {"instance_type": "type", "on_demand_price": "on_demand_price"}  # in a machine's template
UNSAID: InstanceType = {"type": "", "on_demand_price": None, "interruption_risk": None, "template": {}}
# What is said of a type's interruptions counts as much as so many machine-hours of it.
HOURS_SAID = 24.0


def template_of(template: Template, kind: InstanceType) -> dict[str, Any]:
    """Of a machine of this type."""
    own = {name: kind[field] for name, field in OF_A_TYPE.items()}
    return {**template, **kind["template"], **own}


def templates_of(template: Template, types: Sequence[InstanceType]) -> dict[str, dict[str, Any]]:
    """By type; of a provider whose machines have none, the template itself by an empty name."""
    return {kind["type"]: template_of(template, kind) for kind in types} or {"": dict(template)}


def risk_of(said: float | None, hours: float, interruptions: int) -> float:
    """Interruptions per machine-hour: what is said of a type, outweighed by what was seen of it in so many
    machine-hours."""
    if said is None:
        return interruptions / max(1.0, hours)  # one machine that was taken after a minute says little
    return (said * HOURS_SAID + interruptions) / (HOURS_SAID + hours)


def read_machines(
    template: Template,
    types: Sequence[Mapping[str, Any]] | None,
    before: Sequence[InstanceType],
    check: Callable[[Template], dict[str, Any]],
) -> tuple[dict[str, Any], list[InstanceType]]:
    """A group's template and types, with the defaults of what they leave out. `types`: None leaves those from
    `before`, unless the template itself names one: so groups were written before they had several. `check` is
    the provider's, of a machine's template.

    Raises `InvalidInput` with every fault."""
    given = dict(template)
    old = {name: given.pop(name) for name in OF_A_TYPE if name in given}
    if types is not None and old:
        said_twice = "Say it of each type, in instance_types; here leave it out."
        raise _refused([Fault(f"template.{name}", said_twice) for name in old])
    if types is not None:
        kinds = [{**UNSAID, **kind} for kind in types]
    elif old:
        kinds = [{**UNSAID, **{OF_A_TYPE[name]: value for name, value in old.items()}}]
    else:
        kinds = list(before)
    faults = _faults_of(kinds)
    good = _checked(given, kinds, check, "template" if old else "", faults)
    if faults:
        raise _refused(faults)
    return _common(given, kinds, good), kinds


def _faults_of(kinds: Sequence[InstanceType]) -> list[Fault]:
    faults = []
    if len(kinds) > MOST_TYPES:
        faults.append(Fault("instance_types", f"At most {MOST_TYPES} types."))
    names = [kind["type"] for kind in kinds]
    for index, kind in enumerate(kinds):
        path = f"instance_types[{index}]"
        if kind["type"] in names[:index]:
            faults.append(Fault(f"{path}.type", "This type is named above; name each once."))
        risk = kind["interruption_risk"]
        if risk is not None and not (math.isfinite(risk) and 0 <= risk <= HIGHEST_RISK):
            message = (
                f"Interruptions per machine-hour are expected here, from 0 to {HIGHEST_RISK:g}, or null."
            )
            faults.append(Fault(f"{path}.interruption_risk", message))
        faults += [
            Fault(f"{path}.template.{name}", f"Say it as the type's {OF_A_TYPE[name]}.")
            for name in sorted(OF_A_TYPE.keys() & kind["template"].keys())
        ]
    return faults


def _checked(
    given: Template,
    kinds: Sequence[InstanceType],
    check: Callable[[Template], dict[str, Any]],
    whole: str,
    faults: list[Fault],
) -> list[dict[str, Any]]:
    """The provider's word on each machine's template. `whole`: where a type is named that has no row of its
    own. What is wrong with all of them is told once."""
    good = []
    for index, kind in enumerate(kinds):
        try:
            good.append(check(template_of(given, kind)))
        except InvalidInput as exc:
            row = f"instance_types[{index}]"
            found = [Fault(_place_of(fault.path, kind, row, whole), fault.message) for fault in exc.faults]
            faults += [fault for fault in found if fault not in faults]
    if not kinds:
        try:
            good.append(check(given))
        except InvalidInput as exc:
            in_types = {f"template.{name}": "instance_types" for name in OF_A_TYPE}
            faults += [Fault(in_types.get(fault.path, fault.path), fault.message) for fault in exc.faults]
    return good


def _place_of(path: str, kind: InstanceType, row: str, whole: str) -> str:
    name = path.removeprefix("template.")
    if name in OF_A_TYPE:
        return f"{whole}.{name}" if whole else f"{row}.{OF_A_TYPE[name]}"
    return f"{row}.{path}" if name.partition(".")[0] in kind["template"] else path


def _common(given: Template, kinds: Sequence[InstanceType], good: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the group's template is with its defaults: without what types have of their own."""
    found = dict(given)
    for kind, whole in zip(kinds or [UNSAID], good, strict=True):
        own = {*OF_A_TYPE, *kind["template"]}
        found |= {name: value for name, value in whole.items() if name not in own}
    return found


def _refused(faults: list[Fault]) -> InvalidInput:
    return InvalidInput("The node group's machines are not valid.", faults=faults)
