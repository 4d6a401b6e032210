"""A soak: three tenants work for a long time on one pool of twenty containers, which die at random.

    ./aflow bench soak [--minutes 30] [--seed 1] [--report FILE]

Needs a Docker Engine. Starts a platform of its own in a temporary directory, beside whatever else runs. Each
tenant borrows agents over HTTP and uses them, goes away in the middle of a wait, lets leases expire, and runs
workflows on the same pool, some of which it cancels; every few seconds one container is killed. Meanwhile:

- availability: every second a probe of each tenant asks for a lease; the share of them that had one within
  DEADLINE seconds;
- failed checks: what the platform counted itself, and beside it our own checks of every container;
- at the end, when nobody works any more: leases, waiters and what agents have of them in Redis, containers
  against the rows and against Redis, the sum of the pool's states against the containers;
- memory (PSS) of each process, the part of it that is no file, and Redis' data, with slopes after the warm-up
  by least squares. SQLite maps its file into each process, so that what is written there counts, too.

One JSON line at the end, one for each minute before it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.idle import ROOT, Throwaway
from benchmarks.soaking.load import Load, Tenant
from benchmarks.soaking.witness import Witness

AGENTS = 20
POOL = "soak"
SETTLE = 90.0  # seconds in which everything that was left over must have gone; inboxes of the dead last 60
TENANTS = ("soak-b", "soak-c")

MAKE_TENANTS = """
import django; django.setup()
import json, sys
from django.contrib.auth import get_user_model
from teams.domain.roles import Role
from teams.facade import api
from teams.models import Membership, Team
tokens = []
for slug in sys.argv[1:]:
    team = Team.objects.create(slug=slug, name=slug)
    user = get_user_model().objects.create(username=slug)
    Membership.objects.create(team=team, user=user, role=Role.ADMIN)
    tokens.append(api.issue_token(team_id=team.pk, user_id=user.pk, role=Role.ADMIN, name="soak"))
print(json.dumps(tokens))
"""


def tenants_of(platform: Throwaway, directory: Path) -> tuple[str, list[Tenant]]:
    credentials = json.loads((directory / "credentials.json").read_text())
    made = subprocess.run(
        [sys.executable, "-c", MAKE_TENANTS, *TENANTS],
        env=settings_of(platform, directory),
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    tokens = [credentials["token"], *json.loads(made.stdout)]
    return credentials["url"], [Tenant(number, token) for number, token in enumerate(tokens)]


def settings_of(platform: Throwaway, directory: Path) -> dict[str, str]:
    more = json.loads((directory / "run" / "environment.json").read_text())
    return {**platform.environment, "DJANGO_SETTINGS_MODULE": "aflow_site.settings.prod", **more}


async def soak(platform: Throwaway, directory: Path, minutes: float, seed: int) -> dict[str, Any]:
    url, tenants = tenants_of(platform, directory)
    chance = random.Random(seed)
    async with Load(url, tenants, POOL, chance) as load:
        pool_id = await load.prepare(AGENTS)
        witness = Witness(settings_of(platform, directory), platform.processes(), pool_id)
        begun = time.monotonic()
        ends = begun + minutes * 60
        work = [*load.tasks(ends), *witness.tasks(ends, chance)]
        running = [asyncio.create_task(task) for task in work]
        while time.monotonic() < ends:
            await asyncio.sleep(min(60.0, max(0.0, ends - time.monotonic())))
            passed = round((time.monotonic() - begun) / 60, 1)
            print(json.dumps({"minute": passed, **load.figures(), **witness.figures()}), flush=True)
        await asyncio.gather(*running)
        left = await settled(load, witness)
        pool = (await load.tenants[0].get(f"pools/{POOL}/")).body
        told = await load.health_told()
    seconds = time.monotonic() - begun
    return {
        "benchmark": "soak",
        "minutes": round(minutes, 1),
        "seed": seed,
        "tenants": len(tenants),
        "agents": AGENTS,
        **load.figures(),
        **witness.figures(),
        "health_checks": told["checks"],
        "health_failures": told["failures"],
        "health_failed_percent": round(100 * told["failures"] / max(1, told["checks"]), 3),
        "leased_seconds_a_second": round(load.leased_seconds / seconds, 2),
        "pool_at_the_end": pool["states"],
        "left_over": left,
        "settled": not left,
        "memory": witness.memory_report(),
    }


async def settled(load: Load, witness: Witness) -> dict[str, Any]:
    """What is still left over once all had time to go; empty when nothing is."""
    until = time.monotonic() + SETTLE
    while True:
        left = await witness.left_over(AGENTS)
        left |= await load.left_over(AGENTS)
        if not left or time.monotonic() > until:
            return left
        await asyncio.sleep(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, help="a file to which the last line is added")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aflow-soak-") as name:
        directory = Path(name)
        platform = Throwaway(name, "docker")
        platform.up()
        try:
            result = asyncio.run(soak(platform, directory, options.minutes, options.seed))
        finally:
            platform.aflow("down")
    line = json.dumps(result)
    print(line, flush=True)
    if options.report is not None:
        with options.report.open("a") as file:
            file.write(line + "\n")
    sys.exit(0 if passed(result) else 1)


def passed(result: dict[str, Any]) -> bool:
    wrong: Counter[str] = Counter()
    wrong["left over"] += bool(result["left_over"])
    wrong["availability"] += result["availability_percent"] < 99.9
    wrong["failed checks"] += result["health_failed_percent"] >= 1
    wrong["orphans"] += result["orphans_seen"] > 0
    wrong["runs that failed"] += result["runs_failed"] > 0
    faults = sorted(wrong.elements())
    if faults:
        print(f"Not as it should be: {', '.join(faults)}.", file=sys.stderr)
    return not faults


if __name__ == "__main__":
    main()
