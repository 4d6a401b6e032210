"""Parameters of a query string: read, or refused with a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from rest_framework.request import Request

from aflow_site.kernel.errors import InvalidInput


def whole_number(request: Request, name: str, *, low: int = 0, high: int = 10**18) -> int | None:
    """A number of `low` to `high`; None when it is left out."""
    text = request.query_params.get(name)
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18 or not low <= int(text) <= high:
        raise InvalidInput(f"{name} must be a whole number from {low} to {high}, not {text[:40]!r}.")
    return int(text)


def moment(request: Request, name: str) -> datetime | None:
    """A time in ISO 8601, in UTC unless it says otherwise; None when it is left out."""
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        # A `+` that was not escaped arrives as a space.
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise InvalidInput(f"{name} must be a time such as 2027-01-31T09:00:00Z, not {text[:40]!r}.") from exc


def choice(request: Request, name: str, allowed: Iterable[str]) -> str | None:
    """One of `allowed`; None when it is left out."""
    text = request.query_params.get(name)
    if not text:
        return None
    known = list(allowed)
    if text not in known:
        raise InvalidInput(f"{name} is one of {', '.join(known)}, not {text[:40]!r}.")
    return text


def choices(request: Request, name: str, allowed: Iterable[str]) -> list[str]:
    """Those of `allowed` that are named, as in `?state=failed,running`; none when it is left out."""
    known = list(allowed)
    given = [part for part in request.query_params.get(name, "").split(",") if part]
    for text in given:
        if text not in known:
            raise InvalidInput(f"{name} is one of {', '.join(known)}, not {text[:40]!r}.")
    return given
