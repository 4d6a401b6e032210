"""Who gets how many agents when there are not enough for all: fair shares by team, in money.

What is leased stays where it is: nobody's work is taken. Of the rest each next agent goes to the team that
has the least, by its weight, counted in what its agents cost ("progressive filling" to max-min fairness:
Bertsekas and Gallager, Data Networks, 6.5.2); so a team may borrow what others leave, and gives it back when
it is idle again, and one that has nothing comes first. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """Of one pool. `wanted` agents in all, of which `leased` are at work; `price` of one, in any unit (all
    are taken to cost the same where one has none); `waited`: seconds that its first caller has waited."""

    pool: str
    team: int
    weight: float
    leased: int
    wanted: int
    price: float
    waited: float = 0.0


def allocate(total: int, claims: Sequence[Claim]) -> dict[str, int]:
    """How many agents each pool may have, by its name: as many as it wants, if there are enough."""
    given = {claim.pool: claim.leased for claim in claims}
    if sum(max(claim.leased, claim.wanted) for claim in claims) <= total:
        return {claim.pool: max(claim.leased, claim.wanted) for claim in claims}
    priced = all(claim.price > 0 for claim in claims)
    costs = {claim.pool: claim.price if priced else 1.0 for claim in claims}
    has: dict[int, float] = {}
    for claim in claims:
        has[claim.team] = has.get(claim.team, 0.0) + claim.leased * costs[claim.pool]
    hungry = [claim for claim in claims if claim.wanted > claim.leased]
    for _ in range(total - sum(given.values())):
        if not hungry:
            break
        turn = min(
            hungry,
            key=lambda claim: (
                (has[claim.team] + costs[claim.pool]) / claim.weight,
                given[claim.pool] * costs[claim.pool],
                -claim.waited,
                claim.pool,
            ),
        )
        given[turn.pool] += 1
        has[turn.team] += costs[turn.pool]
        if given[turn.pool] >= turn.wanted:
            hungry.remove(turn)
    return given
