"""What a team is alerted of, and the words for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class AlertKind(StrEnum):
    CREATION = "creation"  # a pool cannot make agents
    SATURATION = "saturation"  # many have waited for a pool's agents for some time
    BUDGET_50 = "budget_50"  # half of a budget is spent
    BUDGET_80 = "budget_80"
    BUDGET_100 = "budget_100"
    BUDGET_FORECAST = "budget_forecast"  # at this rate it will be overrun


class AlertState(StrEnum):
    OPEN = "open"
    RESOLVED = "resolved"


class ChannelKind(StrEnum):
    EMAIL = "email"
    WEBHOOK = "webhook"


class AlertEvent(StrEnum):
    RAISED = "raised"
    RESOLVED = "resolved"
    TEST = "test"


# Deliveries: receivers of one team that do not answer must not hold up what the others are told.
AT_ONCE_OF_A_TEAM = 4


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


# Seconds until the next attempt, after the first, the second … that failed: about an hour in all.
RETRY_AFTER = (10, 30, 90, 270, 810, 2430)
LONGEST_SENTENCE = 500
_EMAIL = re.compile(r"^[^\s@,;<>\"]+@[^\s@,;<>\"]+\.[^\s@,;<>\".]+$")


def sentence_of(kind: AlertKind, subject: str, facts: Mapping[str, Any]) -> str:
    """One sentence for people: what whoever raised it says as `facts["sentence"]`, else a plain one."""
    said = facts.get("sentence")
    if isinstance(said, str) and said.strip():
        return " ".join(said.split())[:LONGEST_SENTENCE]
    return {
        AlertKind.CREATION: f"{subject} cannot make agents.",
        AlertKind.SATURATION: f"{subject} is saturated: more wait than it serves.",
        AlertKind.BUDGET_50: f"Half of {subject} is spent.",
        AlertKind.BUDGET_80: f"80 % of {subject} is spent.",
        AlertKind.BUDGET_100: f"{subject} is spent.",
        AlertKind.BUDGET_FORECAST: f"{subject} will be overrun if spending goes on like this.",
    }[kind]


def retry_in(attempts: int) -> int | None:
    """Seconds after so many attempts that failed; None when it is given up."""
    return RETRY_AFTER[attempts - 1] if attempts <= len(RETRY_AFTER) else None


def addresses_of(target: str) -> list[str]:
    """The addresses of an e-mail channel, which commas part."""
    return [part.strip() for part in target.split(",") if part.strip()]


def is_address(text: str) -> bool:
    return len(text) <= 254 and bool(_EMAIL.match(text))
