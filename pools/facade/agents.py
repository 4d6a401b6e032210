"""The door to deployed agents and the requests to them.

Duties: deploy, change, act, remove, look at, back up; forward a request, or store it for later; the loops
that the controller runs for them.
Does not: know pools' agents (`facade.api` does), or hand out rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from aflow_site.kernel.errors import InvalidInput, TooLarge
from aflow_site.kernel.json import to_json
from pools.domain.deployment_documents import read_document
from pools.domain.tokens import agent_token
from pools.facade import site
from pools.facade.agent_contracts import (
    Accepted,
    Arrival,
    DeployedView,
    EngineSilent,
    NotPossibleHere,
    Reply,
    RequestBroken,
    RequestDetail,
    RequestView,
)
from pools.metrics.deployed import DeployedCollector
from pools.models import AgentRequest, DeployedAgent
from pools.runtime.base import Runtime, RuntimeFault
from pools.runtime.deployed import Capability, DeployedAgents, NotCapable, Usage, deployed_agents_of
from pools.selectors import deployments as selectors
from pools.selectors.readings import Readings
from pools.services import nudges
from pools.services.controller.registry import in_database
from pools.services.deployments import definitions
from pools.services.deployments.keeper import Keeper
from pools.services.deployments.metering import Meter
from pools.services.requests import forwarding, store
from pools.services.requests.delivery import Deliverer
from pools.services.requests.sending import Broken, Target
from teams.facade import api as teams

VERBS = definitions.VERBS
_SPELLINGS = {"health_check": "healthCheck", "auto_restart": "autoRestart"}
MOST_OF_AN_ANSWER = 64 * 1024 * 1024  # bytes, of one that is read as a whole


def _tell() -> None:
    nudges.tell(site.redis_client(), site.key_prefix())


# --- agents -----------------------------------------------------------------------------------------------


def list_deployed(team_id: int) -> list[DeployedView]:
    """The newest first."""
    return selectors.views(definitions.alive(team_id))


def get_deployed(team_id: int, ref: str | UUID) -> DeployedView:
    """By id or name. Raises `NotFound`."""
    return _view(definitions.find(team_id, ref))


def deploy(
    team_id: int,
    document: Any,
    *,
    author: str,
    variables: Mapping[str, str] | None = None,
    replace: bool = False,
) -> list[DeployedView]:
    """All agents of a document (one agent as an object, or `kind: AgentDeployment`), or none.

    Raises `InvalidInput` with every fault, `Conflict` when a name is taken (unless `replace`).
    """
    forms = read_document(document, variables, settings.AFLOW_VOLUME_DIRS)
    made = definitions.deploy(team_id, forms, author=author, tell=_tell, replace=replace)
    return selectors.views(made)


def change(team_id: int, ref: str, changes: Mapping[str, Any], *, author: str) -> DeployedView:
    """Sets the fields that are given; the others stay. Raises `NotFound`, `InvalidInput`."""
    before = selectors.definition_of(definitions.find(team_id, ref))
    changes = {_SPELLINGS.get(name, name): value for name, value in changes.items()}
    if "state" in changes or "replicas" in changes:
        raise InvalidInput(
            "Use start, stop, pause and resume for the state; replicas are agents of their own."
        )
    (form,) = read_document({**before, **changes}, None, settings.AFLOW_VOLUME_DIRS)
    return _view(definitions.change(team_id, ref, form, author=author, tell=_tell))


def act(team_id: int, ref: str, verb: str, *, author: str) -> DeployedView:
    """`verb`: start, stop, restart, pause or resume. Raises `NotFound`, `Conflict`, `NotPossibleHere`."""
    if verb == "pause":
        runtime = site.runtime()
        if Capability.PAUSE not in _capabilities(runtime):
            raise NotPossibleHere(f"Agents of the {runtime.name} runtime cannot be paused; stop this one.")
    return _view(definitions.act(team_id, ref, verb, author=author, tell=_tell))


def _capabilities(runtime: Runtime) -> frozenset[Capability]:
    try:
        return deployed_agents_of(runtime).capabilities
    except NotCapable:
        return frozenset()


def remove(team_id: int, ref: str, *, author: str, volumes: bool = False) -> None:
    """With `volumes` its named volumes go too, unless another agent uses them. Raises `NotFound`."""
    definitions.remove(team_id, ref, author=author, tell=_tell, volumes=volumes)


def backup(team_id: int) -> dict[str, Any]:
    """Every definition of the team, as a document that `restore` takes. Secrets are named, not told."""
    agents = [selectors.definition_of(row) for row in definitions.alive(team_id).order_by("name")]
    return {"apiVersion": "agentainer.flow/v1", "kind": "AgentDeployment", "spec": {"agents": agents}}


def restore(team_id: int, document: Any, *, author: str, replace: bool = False) -> list[DeployedView]:
    """What `backup` gave; `$` stands for itself in it. Raises what `deploy` raises."""
    if not isinstance(document, dict):
        raise InvalidInput("Send the document that the backup gave.")
    agents = document.get("spec", {}).get("agents") if isinstance(document.get("spec"), dict) else None
    if agents == []:
        return []
    return deploy(team_id, _escaped(document), author=author, replace=replace)


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escaped(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_escaped(child) for child in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


def _view(row: DeployedAgent) -> DeployedView:
    return selectors.views([row])[0]


# --- looking into one -------------------------------------------------------------------------------------


async def logs(team_id: int, ref: str, tail: int) -> str:
    """The last lines. Raises `NotFound`, `EngineSilent`."""
    async with _looking(team_id, ref) as (agent, agents):
        return await agents.logs(agent.pk, tail)


async def follow(team_id: int, ref: str, tail: int) -> AsyncIterator[str]:
    """Pieces of its log as it is written; ends when the agent does. Raises `NotFound`, `EngineSilent`."""
    async with _looking(team_id, ref) as (agent, agents):
        async for piece in agents.follow(agent.pk, tail):
            yield piece


async def usage(team_id: int, ref: str) -> AsyncIterator[Usage]:
    """About once a second while it runs. Raises `NotFound`, `EngineSilent`, `NotPossibleHere`."""
    async with _looking(team_id, ref) as (agent, agents):
        async for one in agents.usage(agent.pk):
            yield one


async def usage_now(team_id: int, ref: str) -> Usage | None:
    """None when it does not run. Raises `NotFound`, `EngineSilent`, `NotPossibleHere`."""
    async with _looking(team_id, ref) as (agent, agents):
        return await agents.usage_now(agent.pk, agent.container)


class _looking:  # it reads as a function
    """The agent's row, and the runtime's door to it, closed at the end."""

    def __init__(self, team_id: int, ref: str) -> None:
        self._team_id, self._ref = team_id, ref

    async def __aenter__(self) -> tuple[DeployedAgent, DeployedAgents]:
        agent: DeployedAgent = await in_database(definitions.find, self._team_id, self._ref)
        self._runtime = site.runtime()
        try:
            agents = deployed_agents_of(self._runtime)
        except NotCapable as exc:
            raise NotPossibleHere(str(exc)) from exc
        return agent, agents

    async def __aexit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        await self._runtime.close()
        if isinstance(exc, NotCapable):
            raise NotPossibleHere(str(exc)) from exc
        if isinstance(exc, RuntimeFault):
            raise EngineSilent(str(exc)) from exc


# --- requests ---------------------------------------------------------------------------------------------


def _target(agent: DeployedAgent) -> Target:
    return Target(
        address=agent.address,
        token=agent_token(settings.SECRET_KEY, agent.pk, agent.nonce),
        prefix=f"/agent/{agent.pk}",
        silence=settings.AFLOW_REQUEST_TIMEOUT,
        kept=settings.AFLOW_REQUEST_BYTES,
    )


async def invoke(team_id: int, ref: str, body: Any, *, author: str, later: bool = False) -> Reply | Accepted:
    """POST /invoke of the agent contract. `body` is what the agent takes, `{"input": …}`; with `code` beside
    it the built-in agent runs that. `later`: stored, and delivered in its turn.

    Raises `NotFound`, `InvalidInput`, `TooLarge`, `Overloaded`, `RequestBroken`, `RequestLate`.
    """
    content = to_json(_contract_body(body))
    if len(content) > settings.AFLOW_REQUEST_BYTES:
        raise TooLarge(
            f"The request is larger than {settings.AFLOW_REQUEST_BYTES:,} bytes, which is the most that is "
            "stored (setting AFLOW_REQUEST_BYTES); send it through the proxy /agent/…"
        )
    headers = [("Content-Type", "application/json"), ("Accept", "application/json, application/x-ndjson")]
    return await forward(team_id, ref, Arrival("POST", "/invoke", headers, content, author), later=later)


async def whole(reply: Reply) -> bytes:
    """The answer's body. Raises `RequestBroken`, `RequestLate`."""
    parts: list[bytes] = []
    size = 0
    try:
        async for piece in reply.body:
            parts.append(piece)
            size += len(piece)
            if size > MOST_OF_AN_ANSWER:
                await reply.body.aclose()  # type: ignore[attr-defined]
                raise RequestBroken("The agent's answer is too large; read it through the proxy /agent/…")
    except Broken as exc:
        raise forwarding.in_words("The agent", reply.request_id, exc.reason) from exc
    return b"".join(parts)


def _contract_body(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise InvalidInput('Send an object such as {"input": …}.')
    code = body.get("code")
    if code is None:
        return body
    if not isinstance(code, str) or "runs" in body:
        raise InvalidInput('`code` is Python source with a `main`, and stands instead of "runs".')
    rest = {name: value for name, value in body.items() if name != "code"}
    digest = hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()
    return {**rest, "runs": {"code": digest}, "source": code}


async def forward(
    team_id: int,
    ref: str,
    arrival: Arrival,
    *,
    rest: AsyncIterator[bytes] | None = None,
    later: bool = False,
) -> Reply | Accepted:
    """Stores the request, then sends it, or leaves it for when the agent is back. `rest`: what follows of a
    body that is too large to be stored."""
    agent: DeployedAgent = await in_database(definitions.find, team_id, ref)
    answer = await forwarding.forward(
        agent,
        arrival,
        _target,
        rest=rest,
        later=later,
        most_waiting=settings.AFLOW_REQUESTS_WAITING,
    )
    if isinstance(answer, Accepted):
        await in_database(_tell)
    return answer


async def replay(team_id: int, ref: str, request_id: str) -> Reply | Accepted:
    """Sends a stored request once more. Raises `NotFound`, `Conflict` while it waits or is on its way."""
    agent: DeployedAgent = await in_database(definitions.find, team_id, ref)
    answer = await forwarding.replay(agent, request_id, _target)
    if isinstance(answer, Accepted):
        await in_database(_tell)
    return answer


async def address_of(team_id: int, ref: str) -> Target | None:
    """Where to connect a websocket; None when the agent takes no requests now. Raises `NotFound`."""
    agent: DeployedAgent = await in_database(definitions.find, team_id, ref)
    return _target(agent) if store.takes_requests(agent) else None


def requests_of(team_id: int, ref: str, state: str | None = None) -> QuerySet[AgentRequest]:
    """For a paginator: rows are turned by `request_view`. Raises `NotFound`."""
    return selectors.requests_of(definitions.find(team_id, ref).pk, state)


def request_view(row: AgentRequest) -> RequestView:
    return selectors.request_view(row)


def get_request(team_id: int, ref: str, request_id: str) -> RequestDetail:
    """Raises `NotFound`."""
    return selectors.request_detail(store.find(definitions.find(team_id, ref), request_id))


def metrics_collector() -> DeployedCollector:
    """For a Prometheus registry; reads Redis and the database at each scrape."""
    return DeployedCollector(Readings(site.redis_client(), site.key_prefix()))


# --- the controller's process -----------------------------------------------------------------------------


def loops_beside(
    runtime: Runtime, leads: Callable[[], Awaitable[bool]]
) -> dict[str, Callable[[], Awaitable[None]]]:
    """What the controller runs for deployed agents while it leads."""
    days = settings.AFLOW_REQUEST_DAYS
    deliverer = Deliverer(_target, leads, timedelta(days=days) if days else None)
    keeper = Keeper(
        runtime,
        secret=settings.SECRET_KEY,
        leads=leads,
        secrets=teams.secret_values,
        well=deliverer.wake,
        control_url=settings.AFLOW_URL,
        volume_directories=settings.AFLOW_VOLUME_DIRS,
    )

    def heard() -> None:
        keeper.wake()
        deliverer.wake()

    async def listen() -> None:
        await nudges.listen(settings.REDIS_URL, site.key_prefix(), heard)

    meter = Meter(runtime, Readings(site.redis_client(), site.key_prefix()), leads)
    return {
        "deployed agents": keeper.run,
        "what deployed agents use": meter.run,
        "requests to deployed agents": deliverer.run,
        "nudges of deployed agents": listen,
    }
