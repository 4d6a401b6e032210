"""When replacements of agents are begun whose uses go, and that a pool of such agents keeps its size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pools.domain.sizing import PoolFigures, plan
from pools.domain.wear import KEPT, LONGER, REMEMBERED, SPAN, Life, Uses, counted, next_turn, wearing, worn_at

FIRST, LAST = UUID(int=0), UUID(int=1008)  # the smallest share of their uses, and the largest


def test_agents_leave_with_a_tenth_of_their_uses_left_at_most_and_one_at_least() -> None:
    assert (worn_at(FIRST, 100), worn_at(LAST, 100)) == (90, 99)
    assert (worn_at(FIRST, 10), worn_at(LAST, 10)) == (9, 9)
    assert {worn_at(UUID(int=number), 100) for number in range(1009)} == set(range(90, 100))


@pytest.mark.parametrize("max_uses", [1, 2, 9])
def test_of_few_uses_none_is_given_away(max_uses: int) -> None:
    assert worn_at(FIRST, max_uses) == max_uses


@pytest.mark.parametrize(
    ("left", "uses", "found"),
    [
        ([], 5, 0),
        ([10, 20], 0, 0),
        ([10, 0], 0, 1),
        ([10, 20], 9.9, 0),
        ([20, 10], 10, 1),
        ([20, 10, 100], 30, 2),
        ([1, 1, 1], 2, 2),
    ],
)
def test_those_with_the_fewest_uses_left_are_worn_first(left: list[int], uses: float, found: int) -> None:
    assert wearing(left, uses) == found


@given(st.lists(st.integers(0, 20), max_size=6), st.lists(st.integers(0, 5), max_size=40))
def test_no_order_of_assignment_wears_more_of_them_out(left: list[int], order: list[int]) -> None:
    rest, served = list(left), 0
    for pick in order:
        if pick < len(rest) and rest[pick]:
            rest[pick] -= 1
            served += 1
    assert wearing(left, served) >= rest.count(0)


def expected(uses: Uses, *readings: tuple[float, int]) -> float:
    for at, used in readings:
        uses.read(used, at)
    return uses.expected(readings[-1][0])


def counting(within: float) -> Uses:
    uses = Uses(100.0)
    uses.within = within
    return uses


def test_the_most_uses_within_a_start_are_expected_again() -> None:
    uses = counting(2.0)
    assert expected(uses, (100.0, 0)) == 0
    assert expected(uses, (101.0, 50)) == 50
    assert expected(uses, (102.0, 80)) == 80
    assert expected(uses, (103.0, 90)) == 80, "40 in the last two seconds, 80 in the two before"
    assert expected(uses, (102.0 + REMEMBERED, 90)) == 80
    assert expected(uses, (102.1 + REMEMBERED, 90)) == 40
    assert expected(uses, (110.0 + REMEMBERED, 90)) == 0


def test_a_burst_is_not_taken_for_a_pace() -> None:
    """Ten uses in a moment, of agents that take a minute to start: ten are expected within a start."""
    assert expected(counting(90.0), (100.0, 0), (100.2, 10), (150.0, 10)) == 10


def test_uses_between_two_readings_may_have_come_in_one_moment() -> None:
    assert expected(counting(1.0), (100.0, 0), (104.0, 100)) == 100
    assert expected(counting(1.0), (100.0, 0), (104.0, 0), (104.2, 100)) == 100


def test_what_is_longer_ago_than_two_starts_is_forgotten() -> None:
    uses = counting(90.0)
    assert expected(uses, (100.0, 0), (101.0, 10), (101.0 + 180, 10)) == 10
    uses = counting(90.0)
    assert expected(uses, (100.0, 0), (101.0, 10), (193.0, 10), (374.0, 10)) == 0


def test_a_counter_that_begins_anew_is_no_use() -> None:
    uses = counting(1.0)
    assert expected(uses, (100.0, 1000), (101.0, 3)) == 0
    assert expected(uses, (102.0, 13)) == 10


def test_what_the_controller_before_expected_counts_for_a_while() -> None:
    uses = Uses(100.0, 70.0)
    assert expected(uses, (100.0, 500)) == 70
    assert expected(uses, (100.1 + REMEMBERED, 500)) == 0


def test_agents_that_are_worn_or_at_their_last_use_count_as_none_by_a_tenth() -> None:
    """The rest by what the pace asks for: all at once they would be too many, and last uses may be long."""
    fresh, worn, last = Life(100, worn=False), Life(7, worn=True), Life(0, worn=False)
    assert counted([fresh]) == [100]
    assert counted([worn, fresh]) == [0, 100]
    assert counted([last, fresh]) == [0, 100]
    assert counted([Life(9, worn=True), worn, last]) == [0, 7, 9]
    assert counted([last] * 3) == [0, 1, 1]
    assert counted([last] * 20) == [0] * 2 + [1] * 18


@pytest.mark.parametrize(
    ("left", "uses", "turn"),
    [
        ([30, 40], 0, 30),
        ([30, 40], 25, 5),
        ([30, 40], 60, 10),
        ([30, 40], 69, 7),
        ([30, 40], 70, None),
        ([30, 31], 30, 31),
        ([0, 1], 0, 1),
        ([], 0, None),
    ],
)
def test_the_controller_looks_again_before_one_more_may_be_worn(
    left: list[int], uses: float, turn: int | None
) -> None:
    assert next_turn(left, uses) == turn


class Toy:
    """A pool without limit that is used at a `pace` a second, one lease after the other, with a `pause` of so
    many seconds after each `burst`. Agents need `start` seconds; the one used last serves (`lifo`), or the
    one used first. The controller looks every two seconds, when it is woken, and when an agent is ready or
    gone."""

    def __init__(
        self,
        size: int,
        max_uses: int,
        pace: float,
        start: float,
        lifo: bool,
        *,
        burst: int = 10**9,
        pause: float = 0.0,
    ) -> None:
        self.settings = PoolFigures(size, 10**6, True, size, 0, 0, 0, 0, 0)
        self.max_uses, self.pace, self.start, self.lifo = max_uses, pace, start, lifo
        self.burst, self.pause = burst, pause
        self.agents: dict[UUID, int] = {}  # their uses, in the order of their last
        self.starting: list[float] = []
        self.made = self.used = self.waiting = 0
        self.uses = Uses(0.0)
        self.uses.within = max(SPAN, LONGER * start)
        self.join(size)
        self.reads_at = 0.0
        self.look(0.0)

    def join(self, number: int) -> None:
        for _ in range(number):
            self.made += 1
            self.agents[UUID(int=self.made * 97)] = 0

    def serve(self) -> None:
        while self.waiting and self.agents:
            self.waiting -= 1
            self.use()

    def use(self) -> None:
        agent = list(self.agents)[-1 if self.lifo else 0]
        uses = self.agents.pop(agent) + 1
        self.used += 1
        if uses < self.max_uses:
            self.agents[agent] = uses

    def look(self, clock: float) -> None:
        self.uses.read(self.used, clock)
        expected = self.uses.expected(clock)
        worn = [agent for agent, uses in self.agents.items() if uses >= worn_at(agent, self.max_uses)]
        lives = [Life(self.max_uses - uses, agent in worn) for agent, uses in self.agents.items()]
        left = counted(lives + [Life(self.max_uses, worn=False)] * len(self.starting))
        figures = replace(
            self.settings, idle=len(self.agents), starting=len(self.starting), waiting=self.waiting
        )
        spares = wearing(left, KEPT * expected)
        sizes = plan(replace(figures, wearing=wearing(left, expected), worn=len(worn), spares=spares))
        self.starting += [clock + self.start] * sizes.create
        for agent in worn[: sizes.retire_worn]:
            del self.agents[agent]
        for agent in list(self.agents)[: sizes.retire_idle]:
            del self.agents[agent]
        self.looks_at, self.wakes_at = clock + 2, self.used + (next_turn(left, expected) or 10**9)

    def run(self, uses: int) -> Iterator[tuple[int, int]]:
        """Before each use, how many agents can serve it, and how many there are with those that start."""
        clock = 0.0
        for count in range(uses):
            clock += 1 / self.pace
            if count and count % self.burst == 0:
                clock += self.pause
            while (event := min([self.reads_at, self.looks_at, *self.starting])) <= clock:
                self.happen(event)
            yield len(self.agents), len(self.agents) + len(self.starting)
            before = len(self.agents)
            self.waiting += 1
            self.serve()
            if self.used >= self.wakes_at or self.waiting or len(self.agents) < before:
                self.look(clock)

    def happen(self, at: float) -> None:
        if self.reads_at <= at:
            self.uses.read(self.used, at)
            self.reads_at = at + 0.2
        ready = [start for start in self.starting if start <= at]
        self.starting = [start for start in self.starting if start > at]
        self.join(len(ready))
        self.serve()
        if ready or self.looks_at <= at:
            self.look(at)


@given(st.integers(1, 5), st.integers(1, 100), st.floats(0.01, 1), st.floats(0.1, 10), st.booleans())
@example(2, 100, 0.5, 0.6, True)
@example(2, 100, 0.5, 0.6, False)
@example(1, 1, 1, 1.0, False)
def test_nobody_waits_once_it_is_known_how_the_pool_is_used(
    size: int, max_uses: int, part: float, start: float, lifo: bool
) -> None:
    """At a pace that takes, within a start, a `part` of all the uses of the agents that were asked for. Nor
    are there more agents than thrice those and the ones that start at that pace."""
    within = max(SPAN, LONGER * start)
    uses = size * max_uses
    pace = part * uses / within
    toy = Toy(size, max_uses, pace, start, lifo)
    begun = uses + math.ceil(4 * pace * (start + 2))
    for count, (ready, live) in enumerate(toy.run(begun + 3 * uses)):
        if count > begun:
            assert ready >= 1
            assert live <= 3 * (size + math.ceil(pace * (within + 0.2) / max_uses) + 1)


KNOWN = 800  # uses, after which the pool is known


@pytest.mark.parametrize("pause", [1.0, 10.0, 60.0])
@pytest.mark.parametrize("start", [0.35, 0.6, 5.0])
@pytest.mark.parametrize("lifo", [True, False])
def test_nobody_waits_in_bursts_either(pause: float, start: float, lifo: bool) -> None:
    """Of forty uses, on a pool of one; nor are many more agents made than uses ask for."""
    toy = Toy(1, 100, 260.0, start, lifo, burst=40, pause=pause)
    made = 0
    for count, (ready, _) in enumerate(toy.run(8000)):
        if count == KNOWN:
            made = toy.made
        assert ready or count < KNOWN
    assert toy.made - made <= 1.3 * (8000 - KNOWN) / 100
