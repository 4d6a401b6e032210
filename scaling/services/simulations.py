"""Simulations that people ask for: checked, kept, and sent for.

Does not: run them (`simulating` does, in a process of its own).
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.db.models import Q
from kombu.exceptions import OperationalError

from aflow_site.kernel.errors import Conflict, Fault, InvalidInput
from pools.facade import api as pools
from pools.facade.contracts import PoolLoad
from scaling.models import ScalingDecision, Simulation, SimulationState
from scaling.selectors.history import WIDTH, arrivals_of
from scaling.services import policies as policy_services

if TYPE_CHECKING:
    from scaling.simulator.trace import Trace
    from scaling.simulator.workload import Conditions

log = logging.getLogger(__name__)

CURRENT = "current"  # the pool's policy as it is
UNFINISHED = (SimulationState.PENDING.value, SimulationState.RUNNING.value)
MOST_UNFINISHED = 3  # of a team
KEPT = 50  # of a team
MOST_HOURS = 168.0
MOST_ARRIVALS = 2_000_000.0  # of one run: a process holds each of them
MOST_BINS = 200_000  # of a trace, which is kept
MOST_WORK = 25_000_000.0  # simulated seconds and arrivals of all runs together: some minutes
SENT_FOR = timedelta(seconds=20)  # after which a process that was sent for counts as lost


def create(team_id: int, data: Mapping[str, Any], *, author: str, now: datetime) -> Simulation:
    """`data`: pool or trace (CSV), policies, seeds, and any of the simulator's conditions.

    What is left out of the conditions is what the pool was like, and the trace's own number of arrivals.
    Raises InvalidInput with every fault, NotFound, Conflict while too many are unfinished.
    """
    pool, text = data.get("pool"), data.get("trace")
    if pool is None and text is None:
        fault = Fault("pool", "Name a pool, whose own history is replayed, or send a trace.")
        raise InvalidInput("The simulation is not valid.", faults=[fault])
    load = None if pool is None else _load(team_id, pool)
    trace = _history(load, data, now) if load is not None and text is None else _read(text or "")
    conditions = _conditions(data, trace, load)
    names, seeds = list(data["policies"]), data["seeds"]
    _check(names, seeds, conditions, trace, load)
    if Simulation.objects.filter(team_id=team_id, state__in=UNFINISHED).count() >= MOST_UNFINISHED:
        raise Conflict(f"{MOST_UNFINISHED} simulations of this team are under way; wait for one to end.")
    made = Simulation.objects.create(
        team_id=team_id,
        pool=pool,
        arrivals="history" if text is None else "trace",
        trace={"width": trace.width, "counts": list(trace.counts)},
        conditions=asdict(conditions),
        policies=names,
        current=_current(team_id, pool) if CURRENT in names else None,
        seeds=seeds,
        created_by=author,
    )
    _forget(team_id)
    send_for(made.pk, now)
    return made


def send_for(simulation_id: UUID, now: datetime) -> None:
    """Has a process take it up, unless one is at it or on its way. Whoever asks how far it is calls this: so
    one whose process died goes on."""
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lt=now)
    rows = Simulation.objects.filter(free, pk=simulation_id, state__in=UNFINISHED)
    if rows.update(claim=None, claimed_until=now + SENT_FOR):
        try:
            current_app.send_task("scaling.simulate", retry=False)
        except OperationalError as exc:
            log.warning("simulation %s waits, the broker is away: %s", simulation_id, exc)


def start_process() -> None:
    """Starts one that works off what waits, and does not wait for it: the caller's own loop goes on."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "run_simulations"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=process.wait, daemon=True).start()  # so that it leaves no zombie


def delete(team_id: int, simulation_id: UUID) -> None:
    """Also one under way: its process notices, and ends."""
    Simulation.objects.filter(team_id=team_id, pk=simulation_id).delete()


def _load(team_id: int, pool: str) -> PoolLoad:
    pools.get_pool(team_id, pool)  # raises NotFound
    try:
        found = [load for load in pools.load() if load.team_id == team_id and load.name == pool]
    except ConnectionError as exc:
        raise Conflict("Redis is away, and with it the pool's figures. Try again soon.") from exc
    if not found:
        fault = Fault("pool", "This pool is another team's: its history is theirs.")
        raise InvalidInput("The simulation is not valid.", faults=[fault])
    return found[0]


def _history(load: PoolLoad, data: Mapping[str, Any], now: datetime) -> Trace:
    from scaling.simulator.trace import Trace

    counts = arrivals_of(load.pool_id, data.get("hours") or 24.0, now)
    if not sum(counts):
        fault = Fault(
            "pool", "Nothing is known of arrivals there yet: let it work for a while, or send a trace."
        )
        raise InvalidInput("There is no history to replay.", faults=[fault])
    return Trace(WIDTH, tuple(counts))


def _read(text: str) -> Trace:
    from scaling.simulator.trace import read

    try:
        return read(text.splitlines())
    except InvalidInput as exc:
        faults = [Fault("trace", f"{fault.path}: {fault.message}".lstrip(": ")) for fault in exc.faults]
        raise InvalidInput(exc.detail, faults=faults or [Fault("trace", exc.detail)]) from exc


def _conditions(data: Mapping[str, Any], trace: Trace, load: PoolLoad | None) -> Conditions:
    from scaling.simulator.workload import Conditions

    given = {name: data[name] for name in Conditions.__dataclass_fields__ if data.get(name) is not None}
    known = {**_measured(load), **given}
    hours = min(known.get("hours", MOST_HOURS), trace.seconds / 3600 - known.get("offset_hours", 0.0))
    if hours <= 0:
        fault = Fault("offset_hours", f"The trace holds {trace.seconds / 3600:.2g} hours.")
        raise InvalidInput("Nothing is left after the offset.", faults=[fault])
    known["hours"] = hours
    known.setdefault("mean_busy", _busy(trace, Conditions(**known)))
    return Conditions(**known)


def _busy(trace: Trace, conditions: Conditions) -> float:
    """The mean number of busy agents that makes the simulator draw the trace's own number of arrivals."""
    first = round(conditions.offset_hours * 3600 / trace.width)
    window = trace.counts[first : first + max(1, round(conditions.hours * 3600 / trace.width))]
    return max(1e-6, sum(window) * conditions.service_mean / (len(window) * trace.width))


def _measured(load: PoolLoad | None) -> dict[str, Any]:
    """What the pool is like: from its settings, and from what was seen at the last decision about it."""
    if load is None:
        return {}
    rows = ScalingDecision.objects.filter(pool_id=load.pool_id).order_by("-id")
    seen = rows.values_list("signals", flat=True).first() or {}
    found: dict[str, Any] = {"max_size": load.max_size, "price": float(load.rate)}
    if seen.get("service_time"):
        found["service_mean"] = seen["service_time"]
    if seen.get("start_time"):
        found["start_time"] = seen["start_time"]
    return found


def _check(names: list[str], seeds: int, conditions: Conditions, trace: Trace, load: PoolLoad | None) -> None:
    from scaling.simulator.policies import faults_of

    faults = faults_of([name for name in names if name != CURRENT])
    if CURRENT in names and load is None:
        faults.append(Fault("policies", "There is no current policy without a pool; name a pool, too."))
    if len(set(names)) < len(names):
        faults.append(Fault("policies", "A policy stands there twice."))
    if conditions.hours > MOST_HOURS:
        faults.append(Fault("hours", f"At most {MOST_HOURS:g} hours can be simulated."))
    seconds = conditions.hours * 3600
    arrivals = seconds * conditions.mean_busy / conditions.service_mean
    if len(trace.counts) > MOST_BINS:
        faults.append(Fault("trace", f"A trace of {MOST_BINS:,} bins is the longest; take wider ones."))
    if arrivals > MOST_ARRIVALS or len(names) * seeds * (seconds + arrivals) > MOST_WORK:
        message = "That is too much to simulate at once: take fewer hours, policies or seeds."
        faults.append(Fault("hours", message))
    if faults:
        raise InvalidInput("The simulation is not valid.", faults=faults)


def _current(team_id: int, pool: str | None) -> dict[str, Any] | None:
    found = {one.pool: one.policy for one in policy_services.in_force(team_id)}
    policy = found.get(pool or "")
    return None if policy is None else {**asdict(policy), "metrics": list(policy.metrics)}


def _forget(team_id: int) -> None:
    rows = Simulation.objects.filter(team_id=team_id).exclude(state__in=UNFINISHED)
    old = rows.order_by("-created_at").values_list("pk", flat=True)[KEPT:]
    Simulation.objects.filter(pk__in=list(old)).delete()
