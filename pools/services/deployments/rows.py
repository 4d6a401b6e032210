"""What the keeper writes about deployed agents: only what is the case, never what people want.

Every write is one update of named columns, so that a wish that comes at the same moment is not lost.
`move` is the one function that writes a state.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from pools.domain.agents import Transition
from pools.domain.deployments import DeployedState, Desired, Health, propose, restart_delay, state_after_end
from pools.models import DeployedAgent
from pools.runtime.deployed import DeployedHandle

LONGEST_SENTENCE = 500


def everyone() -> list[DeployedAgent]:
    return list(DeployedAgent.objects.all())


def move(agent_id: UUID, wanted: DeployedState, **fields: Any) -> Transition:
    """Proposes a state; accepted, it is written together with `fields`."""
    with transaction.atomic():
        row = DeployedAgent.objects.select_for_update().filter(pk=agent_id).first()
        if row is None:
            return Transition(False, "it is gone")
        answer = propose(DeployedState(row.state), wanted)
        if answer.accepted:
            DeployedAgent.objects.filter(pk=agent_id).update(state=wanted.value, **fields)
        return answer


def started(
    agent_id: UUID, handle: DeployedHandle, now: datetime, restart: int | None, *, by_itself: bool
) -> None:
    """Its container was started. `restart`: the wish that was met; `by_itself`: nobody asked for it."""
    fields: dict[str, Any] = {} if restart is None else {"restart_done": restart}
    if by_itself:
        fields["restarts"] = F("restarts") + 1
    move(
        agent_id,
        DeployedState.RUNNING,
        container=handle.ref,
        address=handle.address,
        node=handle.node,
        started_at=now,
        start_at=None,
        problem=None,
        health=Health.UNKNOWN.value,
        **fields,
    )


def noted(agent_id: UUID, state: DeployedState, handle: DeployedHandle | None, restart: int | None) -> None:
    """The row follows what is so. `restart`: a wish that is met by this."""
    fields: dict[str, Any] = {} if restart is None else {"restart_done": restart}
    if state is not DeployedState.RUNNING:
        fields["health"] = Health.UNKNOWN.value
    if state is DeployedState.STOPPED:
        fields |= {"start_at": None, "problem": None}
        if handle is not None and handle.exit_code is not None:
            fields["exit_code"] = handle.exit_code
    elif handle is not None:
        fields |= {"container": handle.ref, "address": handle.address, "node": handle.node, "problem": None}
    move(agent_id, state, **fields)


def mourned(agent: DeployedAgent, handle: DeployedHandle | None, words: str, now: datetime) -> DeployedState:
    """It ended by itself: how, and when it is started again."""
    code = handle.exit_code if handle is not None else None
    after = state_after_end(code, auto_restart=agent.auto_restart)
    deaths = agent.deaths + 1
    reason = _reason(handle)
    fields: dict[str, Any] = {
        "exit_code": code,
        "exit_reason": reason,
        "exited_at": now,
        "deaths": deaths,
        "health": Health.UNKNOWN.value,
        "start_at": now + restart_delay(deaths) if agent.auto_restart else None,
        "problem": None if after is DeployedState.STOPPED else f"{reason} {words}".strip()[:LONGEST_SENTENCE],
    }
    move(agent.pk, after, **fields)
    return after


def _reason(handle: DeployedHandle | None) -> str:
    if handle is None:
        return "Its container is gone."
    if handle.lost:
        return "Its node was lost."
    if handle.out_of_memory:
        return "It ran out of memory."
    match handle.exit_code:
        case None:
            return "It ended."
        case code if code > 128 or code < 0:
            return f"It was killed by signal {code - 128 if code > 128 else -code}."
        case code:
            return f"It ended with exit code {code}."


def not_started(agent: DeployedAgent, sentence: str, now: datetime, restart: int | None) -> None:
    """It could not be made or started; tried again later, when it is restarted by itself at all."""
    deaths = agent.deaths + 1
    fields: dict[str, Any] = {} if restart is None else {"restart_done": restart}
    move(
        agent.pk,
        DeployedState.FAILED,
        problem=sentence[:LONGEST_SENTENCE],
        deaths=deaths,
        start_at=now + restart_delay(deaths) if agent.auto_restart else None,
        health=Health.UNKNOWN.value,
        **fields,
    )


def troubled(agent_id: UUID, sentence: str) -> None:
    """Something that was asked for cannot be done; what is so stays so."""
    DeployedAgent.objects.filter(pk=agent_id).update(problem=sentence[:LONGEST_SENTENCE])


def replaced(agent_id: UUID) -> None:
    """The container of an older definition is gone; the next one is made at once."""
    move(
        agent_id, DeployedState.CREATED, container="", address="", health=Health.UNKNOWN.value, start_at=None
    )


def tell_health(agent_id: UUID, health: Health, problem: str | None) -> None:
    """Of one that runs."""
    running = DeployedAgent.objects.filter(pk=agent_id, state=DeployedState.RUNNING.value)
    running.update(health=health.value, problem=problem and problem[:LONGEST_SENTENCE])


def mended(agent_id: UUID) -> None:
    """The engine is back, and the agent is well: nothing is wrong any more."""
    well = DeployedAgent.objects.filter(
        pk=agent_id, state=DeployedState.RUNNING.value, health=Health.OK.value
    )
    well.update(problem=None)


def forget_deaths(agent_id: UUID) -> None:
    DeployedAgent.objects.filter(pk=agent_id).update(deaths=0)


def gone(agent_id: UUID) -> None:
    """Its container is removed; so is its row, with its requests."""
    DeployedAgent.objects.filter(pk=agent_id, desired=Desired.REMOVED.value).delete()
