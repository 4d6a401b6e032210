"""What crosses the border of `pools` about deployed agents and requests to them: frozen dataclasses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from aflow_site.kernel.errors import FlowError


@dataclass(frozen=True, slots=True)
class DeployedView:
    """An agent that somebody deployed. `definition` is the form that would deploy it again, without values of
    secrets; `desired` is what people want, `state` what is so."""

    id: UUID
    team_id: int
    name: str
    image: str
    state: str  # created | running | stopped | paused | failed
    desired: str  # running | stopped | paused
    health: str  # ok | unknown | failing
    problem: str | None
    definition: Mapping[str, Any]
    uses: int
    last_used: datetime | None
    pending: int  # requests that wait for it
    container: str
    node: str
    created_at: datetime
    created_by: str
    started_at: datetime | None
    restarts: int
    start_at: datetime | None
    exit_code: int | None
    exit_reason: str | None
    exited_at: datetime | None


@dataclass(frozen=True, slots=True)
class RequestView:
    id: UUID
    agent: str
    method: str
    path: str
    state: str  # pending | processing | completed | failed
    reason: str | None
    attempts: int
    replays: int
    replayable: bool
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    response_status: int | None
    response_size: int


@dataclass(frozen=True, slots=True)
class RequestDetail:
    """`request_body` and `response_body` are what is stored of them."""

    summary: RequestView
    request_headers: Sequence[tuple[str, str]]
    request_body: bytes
    response_headers: Sequence[tuple[str, str]]
    response_body: bytes


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it came in. `whole` is False where `body` is only its beginning."""

    method: str
    path: str  # inside the agent, with the query
    headers: Sequence[tuple[str, str]]
    body: bytes
    author: str
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """What the agent answered. `body` is read to its end, or closed."""

    request_id: UUID
    status: int
    headers: Sequence[tuple[str, str]]
    body: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The agent cannot take the request now: it is stored, and delivered when it can."""

    request_id: UUID
    sentence: str


class RequestBroken(FlowError):
    """The connection broke after the request may have reached the agent."""

    code = "request_interrupted"
    status = 502
    title = "The agent's answer did not come"


class RequestLate(FlowError):
    code = "request_timeout"
    status = 504
    title = "The agent did not answer in time"


class NotPossibleHere(FlowError):
    """The runtime of this platform cannot do it."""

    code = "not_capable"
    status = 501
    title = "This runtime cannot do that"


class EngineSilent(FlowError):
    code = "engine_away"
    status = 503
    title = "The container engine does not answer"
