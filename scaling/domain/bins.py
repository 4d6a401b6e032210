"""Bins of the ledger: quarters of an hour, in which the days of every time zone begin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

BIN = timedelta(minutes=15)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def bin_of(at: datetime) -> datetime:
    """When the bin begins that a time lies in."""
    return at - (at - EPOCH) % BIN
