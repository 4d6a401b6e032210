"""What may go wrong. Each fault strikes a run amid its items, and returns when its cause is over."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from uuid import UUID

from tests.chaos.plant import Plant

Fault = Callable[[Plant, UUID, random.Random], None]


def kill_executor(plant: Plant, run_id: UUID, _random: random.Random) -> None:
    """The executor that drives the run dies at once."""
    plant.send(plant.driver_of(run_id) or "executor-0", signal.SIGKILL)


def freeze_executor(plant: Plant, run_id: UUID, _random: random.Random) -> None:
    """The executor that drives the run stands still until another one drives it, and then goes on: what it
    still has in its hands must be refused. (The first message about the run may go to the one that stands
    still; the controller sends the next.)"""
    name = plant.driver_of(run_id) or "executor-0"
    pid = plant.pid(name)
    plant.send(name, signal.SIGSTOP)
    until = time.monotonic() + 30
    try:
        while _holds_up_writers(plant) and time.monotonic() < until:
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.02)
            os.kill(pid, signal.SIGSTOP)
        while plant.driver_of(run_id) in (name, None) and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        os.kill(pid, signal.SIGCONT)


def _holds_up_writers(plant: Plant) -> bool:
    """Stopped in the middle of a write, it holds SQLite's lock: nobody could take the run over."""
    with closing(sqlite3.connect(plant.database, isolation_level=None, timeout=1)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.execute("ROLLBACK")
        return False


def kill_controller(plant: Plant, _run_id: UUID, _random: random.Random) -> None:
    plant.send("controller", signal.SIGKILL)


def kill_web(plant: Plant, _run_id: UUID, _random: random.Random) -> None:
    plant.send("web", signal.SIGKILL)


def flush_redis(plant: Plant, _run_id: UUID, _random: random.Random) -> None:
    """Redis forgets everything: leases, queues, fences, the broker's messages."""
    with closing(plant.redis()) as client:
        client.flushall()


def kill_redis(plant: Plant, _run_id: UUID, _random: random.Random) -> None:
    plant.send("redis", signal.SIGKILL)


def kill_agents(plant: Plant, _run_id: UUID, randomness: random.Random) -> None:
    """Half of the containers that are at work."""
    running = plant.engine.containers(everything=False)
    for container in randomness.sample(running, max(1, len(running) // 2)):
        plant.engine.kill_container(container)


def restart_docker(plant: Plant, _run_id: UUID, _random: random.Random) -> None:
    plant.engine.stop()
    plant.engine.start()


def double_messages(plant: Plant, run_id: UUID, _random: random.Random) -> None:
    """The same Celery message, again and again, to every executor."""
    plant.in_django(
        "from workflows.services.nudges import nudge\n"
        "from uuid import UUID\n"
        f"for _ in range(20): nudge(UUID('{run_id}'))\n"
    )


def lock_database(plant: Plant, _run_id: UUID, randomness: random.Random) -> None:
    """Nobody can write for some seconds."""
    connection = sqlite3.connect(plant.database, isolation_level=None, timeout=30)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        time.sleep(randomness.uniform(2, 5))
        connection.execute("ROLLBACK")
    finally:
        connection.close()


def step_clock(plant: Plant, _run_id: UUID, randomness: random.Random) -> None:
    """The clock of every process of the platform is set, forward or back; the agents' clocks stay."""
    plant.clock.step(randomness.choice([-600, -45, 45, 3600]))


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        kill_executor,
        freeze_executor,
        kill_controller,
        kill_web,
        flush_redis,
        kill_redis,
        kill_agents,
        restart_docker,
        double_messages,
        lock_database,
        step_clock,
    )
}
# After these, an attempt under way cannot have come to its end. (When Redis forgets a lease, an attempt
# that ends before its next heartbeat is still recorded: the fence of the run is in the database.)
SUPERSEDING = frozenset({"kill_executor", "freeze_executor", "kill_agents", "restart_docker"})
