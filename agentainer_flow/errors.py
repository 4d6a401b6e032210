"""Every error that the SDK raises. The text is a sentence that says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class FlowError(Exception):
    """The root of them all."""


class DefinitionError(FlowError, TypeError):
    """A workflow class cannot be what it says; raised where it is defined."""


class NotSupportedError(DefinitionError):
    """A documented argument that this version of the platform does not implement."""


class BundleError(FlowError):
    """The workflow's modules cannot be packed for the agents."""


class ConfigError(FlowError):
    """It is not known which platform to talk to, or with which token."""


class UnreachableError(FlowError):
    """The platform does not answer."""


class ServerTooOld(FlowError):
    """The platform is older than what this client needs."""


class WaitTimeout(FlowError, TimeoutError):
    """The run has not ended within the time-out; it goes on."""


class RunError(FlowError):
    """A run ended without an output. `state` is its state, `step` the id of the step to blame, if one is."""

    def __init__(
        self, run_id: str, state: str, message: str, step: str | None = None, traceback: str | None = None
    ) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.state = state
        self.step = step
        self.traceback = traceback


class RunFailed(RunError):
    """`type` is the error's type as the body raised it, such as ``ValueError`` or ``timeout``."""

    type: str = "error"


class AgentFailed(FlowError):
    """An agent that a body deployed answered with an error. `type` is the error's, such as ``ValueError`` or
    ``timeout``; `agent` the agent's name."""

    def __init__(self, agent: str, kind: str, message: str, traceback: str | None = None) -> None:
        super().__init__(f"The agent {agent} failed: {kind}: {message}")
        self.agent = agent
        self.type = kind
        self.traceback = traceback


class RunCancelled(RunError):
    """Somebody cancelled the run."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a request: a JSON path, a sentence, and the step it belongs to, if it does."""

    path: str
    message: str
    step: str | None = None


class FlowAPIError(FlowError):
    """The platform refused a request. `status`: HTTP status; `code`: stable, for programs."""

    def __init__(self, status: int, code: str, detail: str, faults: Sequence[Fault] = ()) -> None:
        lines = [f"  {fault.path}: {fault.message}" for fault in faults]
        super().__init__("\n".join([detail, *lines]))
        self.status = status
        self.code = code
        self.detail = detail
        self.faults = tuple(faults)


class InvalidRequest(FlowAPIError):
    """400: the document, the params or something else in the request has faults."""


class AuthenticationError(FlowAPIError):
    """401: no token, or a wrong one."""


class PermissionDenied(FlowAPIError):
    """403: the token's role does not allow it."""


class NotFound(FlowAPIError):
    """404."""


class Conflict(FlowAPIError):
    """409: the name is taken, or the state does not allow it."""


class PreconditionFailed(FlowAPIError):
    """412: somebody saved a newer version meanwhile."""


class Overloaded(FlowAPIError):
    """429 or 503: try again later."""


_BY_STATUS: dict[int, type[FlowAPIError]] = {
    400: InvalidRequest,
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    429: Overloaded,
    503: Overloaded,
}


def api_error(status: int, problem: Any) -> FlowAPIError:
    """The error for an answer with RFC 9457 problem details (or anything else) in it."""
    body = problem if isinstance(problem, dict) else {}
    errors = body.get("errors")
    faults = [
        Fault(str(error.get("path", "")), str(error.get("message", "")), error.get("step"))
        for error in (errors if isinstance(errors, list) else [])
        if isinstance(error, dict)
    ]
    detail = str(body.get("detail") or body.get("title") or f"The platform answered with status {status}.")
    kind = _BY_STATUS.get(status, FlowAPIError)
    return kind(status, str(body.get("code") or "error"), detail, faults)
