"""Fair shares of too few agents."""

from __future__ import annotations

from random import Random

from scaling.domain.allocation import Claim, allocate


def claim(pool: str, team: int, wanted: int, leased: int = 0, **more: float) -> Claim:
    return Claim(pool, team, more.pop("weight", 1.0), leased, wanted, more.pop("price", 1.0), **more)


def test_enough_is_for_everybody() -> None:
    assert allocate(10, [claim("a", 1, 4), claim("b", 2, 6)]) == {"a": 4, "b": 6}


def test_teams_share_and_not_pools() -> None:
    found = allocate(12, [claim("a1", 1, 9), claim("a2", 1, 9), claim("a3", 1, 9), claim("b", 2, 9)])
    assert found == {"a1": 2, "a2": 2, "a3": 2, "b": 6}


def test_what_one_leaves_goes_to_the_others() -> None:
    assert allocate(12, [claim("a", 1, 2), claim("b", 2, 20), claim("c", 3, 20)]) == {"a": 2, "b": 5, "c": 5}


def test_weights() -> None:
    assert allocate(12, [claim("a", 1, 20, weight=2.0), claim("b", 2, 20)]) == {"a": 8, "b": 4}


def test_shares_are_of_money() -> None:
    """Agents of 3 and of 1: each team gets the same money's worth."""
    found = allocate(8, [claim("dear", 1, 20, price=3.0), claim("cheap", 2, 20, price=1.0)])
    assert found == {"dear": 2, "cheap": 6}


def test_without_a_price_of_all_an_agent_is_an_agent() -> None:
    assert allocate(8, [claim("a", 1, 20, price=3.0), claim("b", 2, 20, price=0.0)]) == {"a": 4, "b": 4}


def test_leases_are_never_taken_and_who_has_nothing_comes_first() -> None:
    """One team has borrowed all; what comes free goes to the other until they are level."""
    assert allocate(8, [claim("a", 1, 20, leased=8), claim("b", 2, 5)]) == {"a": 8, "b": 0}
    assert allocate(8, [claim("a", 1, 20, leased=6), claim("b", 2, 5)]) == {"a": 6, "b": 2}
    assert allocate(8, [claim("a", 1, 20, leased=3), claim("b", 2, 5)]) == {"a": 4, "b": 4}


def test_of_one_teams_pools_the_one_that_waited_longest_comes_first() -> None:
    assert allocate(1, [claim("a", 1, 5), claim("b", 1, 5, waited=3.0)]) == {"a": 0, "b": 1}


def test_whatever_is_asked_the_total_holds_and_nobody_is_hungry_beside_what_is_free() -> None:
    random = Random(5)
    for _ in range(500):
        total, claims = random.randint(0, 40), []
        weights = {team: random.choice([0.5, 1.0, 3.0]) for team in (1, 2, 3)}
        for number in range(random.randint(1, 8)):
            leased, team = random.randint(0, 4), random.randint(1, 3)
            claims.append(
                claim(
                    f"p{number}",
                    team,
                    leased + random.randint(0, 12),
                    leased,
                    weight=weights[team],
                    price=random.choice([0.1, 1.0, 4.0]),
                )
            )
        given = allocate(total, claims)
        leases = sum(one.leased for one in claims)
        assert all(one.leased <= given[one.pool] <= max(one.leased, one.wanted) for one in claims)
        assert sum(given.values()) <= max(total, leases)
        if any(given[one.pool] < one.wanted for one in claims):
            assert sum(given.values()) >= min(total, sum(one.wanted for one in claims))
        # Nobody has more than its share, by one agent at most, while another wants more.
        for poor in claims:
            if given[poor.pool] >= poor.wanted:
                continue
            for rich in claims:
                grown = given[rich.pool] > rich.leased and rich.team != poor.team
                if grown:
                    worth = sum(given[one.pool] * one.price for one in claims if one.team == rich.team)
                    mine = sum(given[one.pool] * one.price for one in claims if one.team == poor.team)
                    slack = max(rich.price / rich.weight, poor.price / poor.weight)
                    assert worth / rich.weight <= mine / poor.weight + 2 * slack
