"""A request that somebody waits for: sent at once where the agent takes requests, else stored for later."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from uuid import UUID

from aflow_site.kernel.errors import FlowError, Overloaded, TooLarge
from pools.domain.deployments import DeployedState, Health
from pools.domain.headers import REQUEST_ID
from pools.domain.requests import FailReason
from pools.facade.agent_contracts import Accepted, Arrival, Reply, RequestBroken, RequestLate
from pools.models import AgentRequest, DeployedAgent
from pools.services.controller.registry import in_database, now
from pools.services.requests import store
from pools.services.requests.sending import Body, Broken, Delivery, NotSent, Target

DIRECT = "direct-"


async def forward(
    agent: DeployedAgent,
    arrival: Arrival,
    target_of: Callable[[DeployedAgent], Target],
    *,
    rest: AsyncIterator[bytes] | None = None,
    later: bool = False,
    most_waiting: int = store.MOST_PENDING,
) -> Reply | Accepted:
    """`rest` is what follows of a body that is not whole; `later` asks for no answer now.

    Raises `Overloaded`, `TooLarge`, `RequestBroken`, `RequestLate`.
    """
    holder = None if later else DIRECT + secrets.token_hex(12)
    if not arrival.whole and (later or not await in_database(_takes, agent)):
        raise TooLarge(
            f"{agent.name} takes no request now, and so large a body is not stored; send it later."
        )
    request = await in_database(store.store, agent, arrival, holder=holder, now=now(), most=most_waiting)
    if holder is None or request.held_by != holder:
        return await _accepted(agent, request)
    body: Body = arrival.body if rest is None else _joined(arrival.body, rest)
    return await _send(agent, request, target_of(agent), holder, body)


def _takes(agent: DeployedAgent) -> bool:
    agent.refresh_from_db(fields=["desired", "state", "health", "address"])
    return store.takes_requests(agent)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def replay(
    agent: DeployedAgent, request_id: str | UUID, target_of: Callable[[DeployedAgent], Target]
) -> Reply | Accepted:
    """Sends a stored request once more, at once where the agent takes requests.

    Raises `NotFound`, `Conflict` (it waits, or is on its way), `RequestBroken`, `RequestLate`.
    """
    request = await in_database(store.replay, agent, request_id)
    holder = DIRECT + secrets.token_hex(12)
    if await in_database(_takes, agent) and await in_database(store.claim, request, holder, now()):
        return await _send(agent, request, target_of(agent), holder, bytes(request.body))
    return await _accepted(agent, request)


async def _send(
    agent: DeployedAgent, request: AgentRequest, target: Target, holder: str, body: Body
) -> Reply | Accepted:
    try:
        answer = await Delivery(request, target, holder).send(body)
    except NotSent:
        if not request.whole:
            raise _not_reached(agent) from None
        return await _accepted(agent, request)
    except Broken as exc:
        raise in_words(agent.name, request.id, exc.reason) from exc
    return Reply(request.id, answer.status, answer.headers, answer)


def _not_reached(agent: DeployedAgent) -> FlowError:
    return Overloaded(
        f"{agent.name} could not be reached, and so large a body is not stored; send it again.",
        headers={"Retry-After": str(store.RETRY_AFTER)},
    )


def in_words(name: str, request_id: UUID, reason: FailReason) -> FlowError:
    headers = {REQUEST_ID: str(request_id)}
    if reason is FailReason.TIMEOUT:
        return RequestLate(
            f"{name} did not answer in time. Whether it acted on request {request_id} is not known; replay "
            "it if it bears that.",
            headers=headers,
        )
    return RequestBroken(
        f"The connection to {name} broke off. Whether it acted on request {request_id} is not known; replay "
        "it if it bears that.",
        headers=headers,
    )


async def _accepted(agent: DeployedAgent, request: AgentRequest) -> Accepted:
    if await in_database(_takes, agent):
        sentence = f"{agent.name} answers earlier requests first; this one is delivered after them."
    else:
        sentence = f"{agent.name} {_state(agent)}; the request is delivered when it is back."
    return Accepted(request.id, sentence)


def _state(agent: DeployedAgent) -> str:
    if agent.state != DeployedState.RUNNING.value:
        return f"is {agent.state}"
    return "is not well" if agent.health == Health.FAILING.value else "has not answered its first check yet"
