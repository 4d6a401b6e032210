"""Periods, what is free, what agents are affordable, and when people are told."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from scaling.domain.budgets import (
    HOLD,
    NOBODY,
    PATIENCE,
    USEFUL,
    BudgetState,
    HeldUp,
    Reserve,
    Span,
    Till,
    affordable,
    crossed,
    fair_shares,
    forecast,
    period_of,
    state_of,
)
from scaling.domain.money import as_decimal, cost, text


def at(value: str) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "span", "zone", "start", "end"),
    [
        ("2026-11-25T21:48:38", Span.HOUR, "UTC", "2026-11-25T21:00:00", "2026-11-25T22:00:00"),
        ("2026-11-25T21:48:38", Span.HOUR, "Asia/Kolkata", "2026-11-25T21:30:00", "2026-11-25T22:30:00"),
        ("2026-11-25T21:48:38", Span.DAY, "Europe/Berlin", "2026-11-24T23:00:00", "2026-11-25T23:00:00"),
        # The day on which clocks go forward has 23 hours, the one on which they go back 25.
        ("2026-03-29T12:00:00", Span.DAY, "Europe/Berlin", "2026-03-28T23:00:00", "2026-03-29T22:00:00"),
        ("2026-10-25T12:00:00", Span.DAY, "Europe/Berlin", "2026-10-24T22:00:00", "2026-10-25T23:00:00"),
        ("2026-12-31T23:30:00", Span.MONTH, "UTC", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("2026-12-31T23:30:00", Span.MONTH, "Asia/Tokyo", "2026-12-31T15:00:00", "2027-01-31T15:00:00"),
    ],
)
def test_periods_are_those_of_the_zone(moment: str, span: Span, zone: str, start: str, end: str) -> None:
    assert period_of(at(moment), span, ZoneInfo(zone)) == (at(start), at(end))


def test_what_is_free() -> None:
    till = Till(limit=10.0, spent=2.0, at=100.0, rate=0.1, committed=1.0)
    assert till.free([], 100.0) == pytest.approx(7.0)
    assert till.free([], 110.0) == pytest.approx(6.0), "agents live on between two meterings"
    reserves = [Reserve(until=120.0, rate=0.05), Reserve(until=90.0, rate=5.0)]
    assert till.free(reserves, 100.0) == pytest.approx(6.0), "20 s at 0.05; the other's time is up"


def test_agents_that_are_affordable() -> None:
    pool: dict[str, Any] = {"live": 4, "leased": 1, "rate": 0.01, "start_time": 5.0, "held_up": NOBODY}
    assert affordable(0.0, **pool) == 4
    assert affordable(0.01 * (HOLD + 5 + USEFUL) * 2.5, **pool) == 6
    assert affordable(-0.01, **pool) == 1, "all that are idle go, and never one at work"
    assert affordable(5.0, **{**pool, "rate": 0.0}) > 1000, "without a price nothing limits it"


def test_idle_agents_go_for_work_that_waits_for_their_money() -> None:
    pool: dict[str, Any] = {"live": 4, "leased": 1, "rate": 0.01, "start_time": 5.0}
    patient, impatient = HeldUp(PATIENCE - 1, 0.1), HeldUp(PATIENCE, 0.1)
    assert affordable(0.0, **pool, held_up=patient) == 4
    assert affordable(0.0, **pool, held_up=impatient) == 2, (
        "three idle cost 0.6: enough for one, and the work"
    )
    assert affordable(0.0, **pool, held_up=HeldUp(PATIENCE, 0.5)) == 1, "it is not enough for both"


def test_fair_shares() -> None:
    assert fair_shares(10, {"a": (2, 1), "b": (9, 1)}) == {"a": 2, "b": 8}
    assert fair_shares(9, {"a": (9, 2), "b": (9, 1)}) == pytest.approx({"a": 6, "b": 3})
    assert fair_shares(0, {"a": (9, 1)}) == {"a": 0}
    assert fair_shares(100, {"a": (1, 1), "b": (0, 1)}) == {"a": 1, "b": 0}


def test_people_are_told() -> None:
    assert crossed(4.9, 4.9, 10) == ()
    assert crossed(8.0, 9.0, 10) == ("50", "80")
    assert crossed(5.0, 12.0, 10) == ("50", "forecast")
    assert crossed(10.0, 12.0, 10) == ("50", "80", "100")
    assert forecast(5.0, 0.001, 3600) == pytest.approx(8.6)


def test_states() -> None:
    assert state_of(10, 1, 8, 2) is BudgetState.OK
    assert state_of(10, 6, 3, 7) is BudgetState.WARNING
    assert state_of(10, 1, 8, 11) is BudgetState.WARNING
    assert state_of(10, 6, 0, 7) is BudgetState.EXHAUSTED
    assert state_of(10, 10, 0, 10) is BudgetState.EXHAUSTED


def test_money_is_exact() -> None:
    assert cost(3_600_000, Decimal("0.123456")) == 123_456_000
    assert cost(1, Decimal("36")) == 10_000
    assert as_decimal(123_456_000) == Decimal("0.123456")
    assert (text(0), text(10_000), text(25 * 10**8), text(10**11)) == ("0", "0.00001", "2.5", "100")
