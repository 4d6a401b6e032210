"""How figures name what they are of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


class Labels:
    """A label such as `pool`, `agent` or `workflow`, the same in every family: its name alone (`python`), or
    `team/name` (by the team's slug) where two teams have, or had, one of that name. One team alone sees plain
    names.

    `known`: name, team's id and team's slug of each.
    """

    def __init__(self, known: Iterable[tuple[str, int, str]]) -> None:
        each = set(known)
        holders = Counter(name for name, _, _ in each)
        self._labels = {
            (team_id, name): name if holders[name] == 1 else f"{slug}/{name}" for name, team_id, slug in each
        }

    def of(self, team_id: int, name: str) -> str:
        return self._labels[team_id, name]
