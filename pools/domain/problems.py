"""Why a pool cannot make the agents that it wants, and what whoever waits for one should make of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LONGEST_SENTENCE = 500


class ProblemKind(StrEnum):
    ENGINE_AWAY = "engine_away"  # nothing is known of the image: wait, agents come with the engine
    PLACEMENT = "placement"  # no node is where the pool wants its agents
    CREATION = "creation"  # the last attempt to start an agent of this image failed; waiting may be in vain
    CRASH_LOOP = "crash_loop"  # agents start, and end soon after by a fault, one after the other


@dataclass(frozen=True, slots=True)
class Problem:
    kind: ProblemKind
    sentence: str


def last_words(logs: str, longest: int) -> str:
    """The last line that an agent wrote, at most `longest` characters of it; empty when it wrote nothing.
    Agents write what they like: NUL, which PostgreSQL stores in no text, becomes U+FFFD."""
    lines = logs.strip().splitlines()
    return lines[-1][:longest].replace("\0", "\ufffd") if lines else ""
