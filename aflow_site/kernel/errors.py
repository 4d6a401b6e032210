"""The root of every error that a person may see.

Raise a subclass with a sentence that says what is wrong, where, and what to do; one handler renders all of
them as RFC 9457 problem details (`aflow_site.api.problems`), and the commands print `detail` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a document or a request body.

    `path` is a JSON path such as ``steps[2].pool.size``; `message` is a sentence on how to mend it;
    `step` is the id of the step at fault, where there is one (the canvas marks its node).
    """

    path: str
    message: str
    step: str | None = None


class FlowError(Exception):
    """`code` is stable and for programs; `status` is the HTTP status it maps to.

    `members` are a problem's own fields beside the usual ones (RFC 9457, section 3.2).
    """

    code = "error"
    status = 500
    title = "Something went wrong"

    def __init__(
        self,
        detail: str,
        *,
        faults: Iterable[Fault] = (),
        headers: dict[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = headers or {}
        self.members = dict(members or {})


class InvalidInput(FlowError):
    code = "invalid"
    status = 400
    title = "The request is not valid"


class NotAuthenticated(FlowError):
    code = "not_authenticated"
    status = 401
    title = "Who is asking?"


class NotAllowed(FlowError):
    code = "not_allowed"
    status = 403
    title = "Not allowed"


class NotFound(FlowError):
    code = "not_found"
    status = 404
    title = "Not found"


class Conflict(FlowError):
    code = "conflict"
    status = 409
    title = "Conflict"


class PreconditionFailed(FlowError):
    code = "precondition_failed"
    status = 412
    title = "Someone was faster"


class PreconditionRequired(FlowError):
    """RFC 6585, 3: the request must say which version it is based on."""

    code = "precondition_required"
    status = 428
    title = "Say which version you edited"


class TooLarge(FlowError):
    code = "too_large"
    status = 413
    title = "The body is too large"


class Overloaded(FlowError):
    """Set ``headers={"Retry-After": seconds}``."""

    code = "overloaded"
    status = 503
    title = "Try again later"
