"""The `schedule` and `triggers` of `@workflow`: what starts its runs by itself, deployed with it.

@workflow(schedule="30 2 * * *")
@workflow(schedule=cron("30 2 * * *", timezone="Europe/Berlin", params={"day": "yesterday"}),
          triggers=[webhook("from-crm", map={"count": "${body.count}"}), after("code-census")])
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agentainer_flow.errors import DefinitionError
from agentainer_flow.sdk import options
from agentainer_flow.sdk.parts import without_none

CatchUp = Literal["skip", "last", "all"]
Overlap = Literal["skip", "queue", "allow"]
EndState = Literal["completed", "failed", "cancelled"]
_NAME = re.compile(r"\A[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?\Z")
_KEYS = ("name", "kind", "config", "params", "enabled")
_KINDS = ("schedule", "webhook", "event")


@dataclass(frozen=True, slots=True)
class Trigger:
    """Made by `cron`, `webhook` and `after`. `fields`: as the document has them."""

    fields: Mapping[str, Any]


def cron(
    line: str,
    *,
    timezone: str = "UTC",
    name: str = "schedule",
    params: Mapping[str, Any] | None = None,
    catch_up: CatchUp = "last",
    overlap: Overlap = "queue",
    enabled: bool | None = None,
) -> Trigger:
    """Runs start at the times of a cron line of five fields, in a time zone such as Europe/Berlin.

    `catch_up`: of times that passed while the platform was down, none ("skip"), the last or all start runs
    afterwards. `overlap`: while its last run goes on, the next is left out ("skip"), waits ("queue") or
    starts ("allow").
    """
    where = f"cron({line!r})"
    if not isinstance(line, str) or len(line.split()) != 5:
        raise DefinitionError(
            f"{where}: a cron line has five fields: minute, hour, day of month, month, day of week."
        )
    config = {
        "cron": line,
        "timezone": options.text(where, "timezone", timezone),
        "catch_up": options.choice(where, "catch_up", catch_up, ("skip", "last", "all")),
        "overlap": options.choice(where, "overlap", overlap, ("skip", "queue", "allow")),
    }
    return _trigger(where, name, "schedule", config, params, enabled)


def webhook(
    name: str = "webhook",
    *,
    map: Mapping[str, Any] | None = None,  # noqa: A002 - the document's word
    params: Mapping[str, Any] | None = None,
    signature_header: str | None = None,
    enabled: bool | None = None,
) -> Trigger:
    """Runs start by signed requests. `map`: each param by an expression over `body` and `headers`; left out,
    the body's fields are the params. Its secret is told by `client.rotate_trigger_secret`."""
    where = f"webhook({name!r})"
    config = {"map": map, "signature_header": signature_header}
    return _trigger(where, name, "webhook", without_none(config), params, enabled)


def after(
    workflow: str | type,
    *,
    states: Sequence[EndState] = ("completed",),
    name: str | None = None,
    map: Mapping[str, Any] | None = None,  # noqa: A002
    params: Mapping[str, Any] | None = None,
    enabled: bool | None = None,
) -> Trigger:
    """Runs start when one of another workflow has ended. `map`: each param by an expression over `run`."""
    if isinstance(workflow, type):
        from agentainer_flow.sdk.definition import definition_of  # which knows this module's users

        workflow = definition_of(workflow).name
    where = f"after({workflow!r})"
    ends = [options.choice(where, "states", one, ("completed", "failed", "cancelled")) for one in states]
    if not ends:
        raise DefinitionError(f"{where}: states names one at least: completed, failed or cancelled.")
    config = without_none({"workflow": options.text(where, "workflow", workflow), "states": ends, "map": map})
    return _trigger(where, name or f"after-{workflow}"[:63], "event", config, params, enabled)


def triggers(where: str, schedule: object, given: object) -> list[dict[str, Any]] | None:
    """As the document has them; None when there are none. Raises DefinitionError."""
    many: list[object] = [] if schedule is None else [_schedule(where, schedule)]
    if isinstance(given, Trigger | Mapping | str) or not isinstance(given or (), Iterable):
        raise DefinitionError(
            f"{where}: triggers is a list of cron(…), webhook(…) and after(…), not {given!r}."
        )
    many += [*(given or ())]  # type: ignore[misc]
    found = [_fields(f"{where}: triggers", one) for one in many]
    names = [one["name"] for one in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DefinitionError(f"{where}: two triggers are called {twice}; give one another name=….")
    return found or None


def _schedule(where: str, given: object) -> object:
    if isinstance(given, str):
        return cron(given)
    if isinstance(given, Mapping) and "cron" in given:
        known = ("cron", "timezone", "name", "params", "catch_up", "overlap", "enabled")
        options.refuse_unknown(f"{where}: schedule", set(given) - set(known), known)
        more: dict[str, Any] = {key: value for key, value in given.items() if key != "cron"}
        return cron(given["cron"], **more)
    if isinstance(given, Trigger) and given.fields["kind"] == "schedule":
        return given
    raise DefinitionError(
        f'{where}: schedule is a cron line such as "30 2 * * *", or cron(…, timezone=…), not {given!r}.'
    )


def _fields(where: str, given: object) -> dict[str, Any]:
    if isinstance(given, Trigger):
        return dict(given.fields)
    if not isinstance(given, Mapping):
        raise DefinitionError(f"{where}: each is a cron(…), a webhook(…) or an after(…), not {given!r}.")
    options.refuse_unknown(where, set(given) - set(_KEYS), _KEYS)
    _check(where, given.get("name"), given.get("kind"))
    checked: dict[str, Any] = options.json_value(where, "triggers", dict(given))
    return checked


def _trigger(
    where: str,
    name: str,
    kind: str,
    config: Mapping[str, Any],
    params: Mapping[str, Any] | None,
    enabled: bool | None,
) -> Trigger:
    _check(where, name, kind)
    if params is not None and not isinstance(params, Mapping):
        raise DefinitionError(f"{where}: params is a dict, not {params!r}.")
    fields: dict[str, Any] = {"name": name, "kind": kind, "config": config}
    if params:
        fields["params"] = params
    if enabled is not None:
        fields["enabled"] = options.flag(where, "enabled", enabled)
    return Trigger(options.json_value(where, "a trigger", fields))


def _check(where: str, name: object, kind: object) -> None:
    if not isinstance(name, str) or not _NAME.match(name):
        raise DefinitionError(
            f"{where}: the name {name!r} must be lower-case letters, digits, - and _; up to 63 characters."
        )
    options.choice(where, "kind", kind, _KINDS)
