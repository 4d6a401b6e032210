"""What people want of deployed agents: made, changed, started, stopped, removed. The rows are the truth; the
keeper is told after the commit, and finds out by itself when that message is lost.

Does not: touch a container, or write what is the case (the keeper does).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from aflow_site.kernel.errors import Conflict, Fault, InvalidInput, NotFound
from pools.domain.deployment_forms import AgentForm
from pools.domain.deployments import DeployedState, Desired
from pools.models import DeployedAgent
from pools.runtime.base import BUILT_IN_IMAGE
from teams.facade import api as teams

MOST_OF_A_TEAM = 200
Tell = Callable[[], object]  # wakes the keeper


def alive(team_id: int) -> QuerySet[DeployedAgent]:
    """The team's agents that nobody removed."""
    return DeployedAgent.objects.filter(team_id=team_id).exclude(desired=Desired.REMOVED.value)


def find(team_id: int, ref: str | UUID, rows: QuerySet[DeployedAgent] | None = None) -> DeployedAgent:
    """By id or name. Raises `NotFound`."""
    found = alive(team_id) if rows is None else rows
    try:
        row = found.filter(pk=ref if isinstance(ref, UUID) else UUID(ref)).first()
    except ValueError:
        row = found.filter(name=ref).first()
    if row is None:
        raise NotFound(f"There is no deployed agent {str(ref)[:80]} in this team.")
    return row


def settings_of(form: AgentForm) -> dict[str, Any]:
    """The columns that a form sets."""
    return {
        "image": form.image or BUILT_IN_IMAGE,
        "port": form.port,
        "env": {
            name: value if isinstance(value, str) else value.model_dump() for name, value in form.env.items()
        },
        "cpu": form.resources.cpu,
        "memory": form.resources.memory,
        "volumes": [volume.model_dump(exclude_none=True) for volume in form.volumes],
        "network": form.network,
        "health_check": form.health_check.model_dump() if form.health_check else None,
        "auto_restart": form.auto_restart,
    }


def deploy(
    team_id: int, forms: Sequence[AgentForm], *, author: str, tell: Tell, replace: bool = False
) -> list[DeployedAgent]:
    """All of them or none. With `replace` those that exist are brought to the new definition.

    Raises `Conflict` when a name is taken, or the team would have too many.
    """
    try:
        with transaction.atomic():
            made = [_deploy_one(team_id, form, author=author, replace=replace) for form in forms]
            if alive(team_id).count() > MOST_OF_A_TEAM:
                raise Conflict(f"A team has at most {MOST_OF_A_TEAM} deployed agents; remove some first.")
    except IntegrityError as exc:
        raise Conflict("One of these names was taken at this moment; try again.") from exc
    transaction.on_commit(tell)
    return made


def _deploy_one(team_id: int, form: AgentForm, *, author: str, replace: bool) -> DeployedAgent:
    known = alive(team_id).select_for_update().filter(name=form.name).first()
    if known is None:
        row = DeployedAgent.objects.create(
            team_id=team_id,
            name=form.name,
            desired=form.state,
            nonce=secrets.token_hex(8),
            created_by=author,
            **settings_of(form),
        )
        _audit(row, "deployed", author, image=row.image)
        return row
    if not replace:
        raise Conflict(
            f"There is an agent named {form.name} already. Choose another name, or bring it to this "
            "definition with ?replace=true."
        )
    _set(known, {**settings_of(form), "desired": form.state}, author)
    return known


# What a container is made of: a change of these needs a new one.
_OF_THE_CONTAINER = ("image", "port", "env", "cpu", "memory", "volumes", "network")


def change(team_id: int, ref: str, form: AgentForm, *, author: str, tell: Tell) -> DeployedAgent:
    """Brings the agent to the definition; its name stays. Raises `NotFound`, `InvalidInput`."""
    with transaction.atomic():
        row = find(team_id, ref, alive(team_id).select_for_update())
        if form.name != row.name:
            fault = Fault("name", f"The name stays {row.name}; deploy another agent to have another name.")
            raise InvalidInput("The name of an agent cannot be changed.", faults=[fault])
        _set(row, settings_of(form), author)
    transaction.on_commit(tell)
    return row


def _set(row: DeployedAgent, values: dict[str, Any], author: str) -> None:
    """A definition that has changed is a new chance: earlier deaths do not count."""
    changed = sorted(name for name, value in values.items() if getattr(row, name) != value)
    if not changed:
        return
    for name in changed:
        setattr(row, name, values[name])
    if set(changed) & set(_OF_THE_CONTAINER):
        row.generation += 1
    _forget_deaths(row)
    row.save(update_fields=[*changed, "generation", *_DEATHS])
    _audit(row, "changed", author, changed=changed)


_DEATHS = ("deaths", "start_at", "problem", "state")


def _forget_deaths(row: DeployedAgent) -> None:
    row.deaths, row.start_at, row.problem = 0, None, None
    if row.state == DeployedState.FAILED.value:
        row.state = DeployedState.CREATED.value  # it is tried again at once


_VERBS = {
    "start": (Desired.RUNNING, "started"),
    "stop": (Desired.STOPPED, "stopped"),
    "pause": (Desired.PAUSED, "paused"),
    "resume": (Desired.RUNNING, "resumed"),
    "restart": (Desired.RUNNING, "restarted"),
}
VERBS = tuple(_VERBS)


def act(team_id: int, ref: str, verb: str, *, author: str, tell: Tell) -> DeployedAgent:
    """`verb` is one of `VERBS`; asking again for what is wanted already changes nothing.

    Raises `NotFound`, and `Conflict` where the verb makes no sense.
    """
    desired, told = _VERBS[verb]
    with transaction.atomic():
        row = find(team_id, ref, alive(team_id).select_for_update())
        _check_sense(row, verb)
        row.desired = desired.value
        if verb == "restart":
            row.restart_asked += 1
        if verb in ("start", "restart"):
            _forget_deaths(row)
            if row.state == DeployedState.STOPPED.value:
                row.state = DeployedState.CREATED.value
        row.save(update_fields=["desired", "restart_asked", *_DEATHS])
        _audit(row, told, author)
    transaction.on_commit(tell)
    return row


def _check_sense(row: DeployedAgent, verb: str) -> None:
    if verb == "pause" and row.desired == Desired.STOPPED.value:
        raise Conflict(f"{row.name} is stopped, and cannot be paused; start it first.")
    if verb == "resume" and row.desired == Desired.STOPPED.value:
        raise Conflict(f"{row.name} is stopped, not paused; start it.")
    if verb == "start" and row.desired == Desired.PAUSED.value:
        raise Conflict(f"{row.name} is paused; resume it.")


def remove(team_id: int, ref: str, *, author: str, tell: Tell, volumes: bool = False) -> None:
    """It is gone for everybody at once; its container goes soon after. Raises `NotFound`."""
    with transaction.atomic():
        row = find(team_id, ref, alive(team_id).select_for_update())
        row.desired, row.remove_volumes = Desired.REMOVED.value, volumes
        row.save(update_fields=["desired", "remove_volumes"])
        _audit(row, "removed", author, volumes=volumes)
    transaction.on_commit(tell)


def count_use(agent_id: UUID, now: Any) -> None:
    DeployedAgent.objects.filter(pk=agent_id).update(uses=F("uses") + 1, last_used=now)


def _audit(row: DeployedAgent, verb: str, author: str, **details: Any) -> None:
    """Values of variables are never told."""
    teams.audit(
        row.team_id, actor=author, action=f"agent.{verb}", target=f"agent/{row.name}", details=details
    )
