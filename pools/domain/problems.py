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
