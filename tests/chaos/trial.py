"""One trial: a run of 500 items, one fault in the middle of one, and the proof that it did no harm."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from tests.chaos.faults import FAULTS, SUPERSEDING
from tests.chaos.plant import ITEMS, POOL, Plant

EARLIEST, LATEST = 20, 400  # completed items at which a fault may strike
STANDS_STILL = 90.0
SETTLED = 30.0  # seconds in which everything that was left over must have gone


@dataclass(slots=True)
class Outcome:
    """In seconds: `recovery` is the longest time in which no item was completed, from the end of the fault's
    cause to the last item (some that are under way then may still end, and those after them wait), `settled`
    from the run's end until nothing was left over."""

    fault: str
    seed: int
    struck_at: int = 0  # completed items
    struck: list[int] = field(default_factory=list)  # items that were running
    superseded: int = 0
    lost: int = 0
    doubled: int = 0
    recovery: float = 0.0
    seconds: float = 0.0
    settled: float = 0.0

    def as_json(self) -> str:
        return json.dumps(asdict(self))


def try_fault(plant: Plant, fault: str, seed: int) -> Outcome:
    """Raises AssertionError with what is wrong, and what the platform's processes wrote last."""
    try:
        return _try_fault(plant, fault, seed)
    except AssertionError as exc:
        raise AssertionError(f"{exc}\n{plant.platform.log_tails()}") from exc


def _try_fault(plant: Plant, fault: str, seed: int) -> Outcome:
    randomness = random.Random(f"{fault} {seed}")
    outcome = Outcome(fault, seed)
    plant.look_at_processes()
    begun = time.monotonic()
    run_id = plant.begin()
    _strike(plant, run_id, fault, randomness, outcome)
    run = plant.end_of(run_id)
    outcome.seconds = round(time.monotonic() - begun, 2)
    assert run["state"] == "completed", f"{outcome.as_json()}: {run['error']}"
    assert run["output"] == plant.expected, outcome.as_json()
    _count(plant, run_id, outcome)
    assert (outcome.lost, outcome.doubled) == (0, 0), outcome.as_json()
    if fault in SUPERSEDING:
        assert outcome.superseded, f"no attempt was interrupted: {outcome.as_json()}"
    ended = time.monotonic()
    _until_nothing_is_left(plant, run_id)
    outcome.settled = round(time.monotonic() - ended, 2)
    return outcome


def _strike(plant: Plant, run_id: UUID, fault: str, randomness: random.Random, outcome: Outcome) -> None:
    """In the middle of an item: some are running, with a little time since the last one ended."""
    wanted = randomness.randint(EARLIEST, LATEST)
    until = time.monotonic() + 60
    while (done := plant.completed(run_id)) < wanted:
        assert time.monotonic() < until, "the run does not get on"
        time.sleep(0.01)
    time.sleep(randomness.uniform(0, 0.02))
    while not (running := plant.running(run_id)):
        assert plant.completed(run_id) < ITEMS, "the run was over before the fault could strike"
        time.sleep(0.001)
    outcome.struck_at, outcome.struck = done, running
    FAULTS[fault](plant, run_id, randomness)
    outcome.recovery = round(_longest_pause(plant, run_id), 3)


def _longest_pause(plant: Plant, run_id: UUID) -> float:
    """From now on, without an item; of a run that stands still it is what was waited for."""
    longest, since, before = 0.0, time.monotonic(), plant.completed(run_id)
    while before < ITEMS and longest < STANDS_STILL:
        time.sleep(0.02)
        done, now = plant.completed(run_id), time.monotonic()
        longest = max(longest, now - since)
        if done > before:
            since, before = now, done
    return longest


def _count(plant: Plant, run_id: UUID, outcome: Outcome) -> None:
    """By the rows, and by the log of events, which must tell of each item's end once."""
    items = plant.rows(
        'SELECT i."index", i.state, i.attempts FROM workflows_item i JOIN workflows_step s '
        "ON s.id = i.step_id WHERE s.run_id = ?",
        run_id.hex,
    )
    done = Counter(index for index, state, _ in items if state == "completed")
    outcome.lost = ITEMS - len(done)
    outcome.superseded = sum(attempts > 1 for _, _, attempts in items)
    told: Counter[int] = Counter()
    seqs = []
    for seq, kind, data in plant.rows(
        "SELECT seq, type, data FROM workflows_event WHERE run_id = ? ORDER BY seq", run_id.hex
    ):
        seqs.append(seq)
        if kind == "items.changed":
            told.update(index for index, state, _ in json.loads(data)["items"] if state == "completed")
    assert seqs == list(range(1, len(seqs) + 1)), "the log of events has gaps"
    assert set(told) == set(done), "the log of events and the rows tell different things"
    outcome.doubled = sum(count - 1 for count in (*done.values(), *told.values()))


def _until_nothing_is_left(plant: Plant, run_id: UUID) -> None:
    """No open row, no lease, no waiter, and just the agents that the pool wants."""
    until = time.monotonic() + SETTLED
    while True:
        left = _left_over(plant, run_id)
        if not left:
            return
        assert time.monotonic() < until, f"left over: {left}"
        time.sleep(0.2)


def _left_over(plant: Plant, run_id: UUID) -> dict[str, Any]:
    open_rows = plant.rows(
        "SELECT s.key, s.state FROM workflows_step s WHERE s.run_id = ? AND s.state != 'completed'",
        run_id.hex,
    )
    left: dict[str, Any] = {"open steps": open_rows}
    claimed = plant.rows("SELECT claimed_by FROM workflows_run WHERE id = ?", run_id.hex)
    left["claim"] = [claim for (claim,) in claimed if claim]
    pools = plant.get("pools/")["results"]
    left["leases"] = sum(pool["states"]["active"] for pool in pools)
    left["waiting"] = sum(pool["waiting"] for pool in pools)
    own = next(pool for pool in pools if pool["name"] == "chaos-count")
    size = sum(own["states"].values())
    left["missing or surplus agents"] = size - POOL
    rows = {agent["container"] for agent in plant.get("agents/")["results"]}
    containers = set(plant.engine.containers())
    left["containers"] = len({ref[:12] for ref in rows} ^ {ref[:12] for ref in containers})
    silent = [process.name for process in plant.processes() if process.state != "running"]
    left["processes"] = silent
    return {name: value for name, value in left.items() if value}
