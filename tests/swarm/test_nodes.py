"""A whole platform on three nodes, and what befalls them in the midst of a run: every item ends, once."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.chaos.plant import WORKFLOW, Plant
from tests.live_platform import LivePlatform
from tests.swarm.hosts import Host, Swarm

pytestmark = pytest.mark.swarm

ITEMS = 240
POOL = 6
WORK = "import time\ndef main(number):\n    time.sleep(0.1)\n    return number * number\n"
DOCUMENT: dict[str, Any] = {
    "name": WORKFLOW,
    "steps": [
        {
            "id": "list",
            "type": "task",
            "run": {"code": "def main(count):\n    return list(range(count))\n"},
            "input": {"count": ITEMS},
        },
        {
            "id": "count",
            "type": "map",
            "needs": ["list"],
            "over": "${steps.list.output}",
            "as": "number",
            "run": {"code": WORK},
            "pool": {"size": POOL, "warm_up": True, "max_uses": 100_000},
            "timeout": "30s",
        },
        {
            "id": "total",
            "type": "reduce",
            "needs": ["count"],
            "run": {"code": "def main(results):\n    return sum(results)\n"},
        },
    ],
}


class SwarmPlant(Plant):
    """The platform runs beside the hosts, as on a machine of its own."""

    def __init__(self, directory: Path, hosts: Swarm) -> None:
        super().__init__(directory)
        self.hosts = hosts
        self.platform = LivePlatform(directory, DOCKER_HOST=hosts.manager.engine)

    def start(self) -> None:
        self.platform.up("--no-examples", "--runtime", "swarm")
        self.first_run(DOCUMENT)
        assert self.expected == sum(number * number for number in range(ITEMS))

    def stop(self) -> None:
        self.platform.down()

    def nodes(self) -> dict[str, str]:
        return {node["name"]: node["state"] for node in self.get("nodes/")["results"]}

    def spread(self) -> Counter[str]:
        """Agents of the map's pool that serve, by node."""
        return Counter(agent["node"] for agent in self._alive("chaos-count"))

    def _alive(self, pool: str) -> list[dict[str, Any]]:
        agents = self.get(f"agents/?pool={pool}")["results"]
        return [agent for agent in agents if agent["state"] in ("idle", "active")]

    def serving(self, pool: str, host: Host) -> list[str]:
        """The ids of the pool's agents there that serve."""
        return [agent["id"] for agent in self._alive(pool) if agent["node"] == host.name]

    def left_of(self, agents: set[str]) -> set[str]:
        """Those of them whose containers are still anywhere."""
        return agents & {agent for host in self.hosts.hosts for agent in host.agents(everything=True)}

    def reasons(self, agents: list[str]) -> set[str | None]:
        """Why these agents ended; None for one that has not."""
        return {self.get(f"agents/{agent}/")["end_reason"] for agent in agents}

    def until(self, what: str, condition: Any, seconds: float = 90) -> float:
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < seconds, f"{what}: {self.nodes()} {self.spread()}"
            time.sleep(0.1)
        return time.monotonic() - began

    def full(self) -> bool:
        return sum(self.spread().values()) == POOL

    def begin_and_reach(self, items: int) -> UUID:
        run_id = self.begin()
        self.until("the run gets on", lambda: self.completed(run_id) >= items)
        return run_id

    def check(self, run_id: UUID) -> None:
        """Every item ended once, by the rows and by the log of events."""
        run = self.end_of(run_id, 60)
        assert (run["state"], run["output"]) == ("completed", self.expected), run["error"]
        rows = self.rows(
            'SELECT i."index", i.state FROM workflows_item i JOIN workflows_step s ON s.id = i.step_id '
            "WHERE s.run_id = ?",
            run_id.hex,
        )
        assert Counter(rows) == Counter((index, "completed") for index in range(ITEMS))
        told: Counter[int] = Counter()
        for kind, data in self.rows("SELECT type, data FROM workflows_event WHERE run_id = ?", run_id.hex):
            if kind == "items.changed":
                told.update(index for index, state, _ in json.loads(data)["items"] if state == "completed")
        assert told == Counter(range(ITEMS))


@pytest.fixture(scope="module")
def _plant(hosts: Swarm) -> Iterator[SwarmPlant]:
    hosts.restore()
    directory = Path(tempfile.mkdtemp(prefix="aflow-swarm-"))
    plant = SwarmPlant(directory, hosts)
    try:
        plant.start()
        yield plant
    finally:
        plant.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def plant(_plant: SwarmPlant, swarm: Swarm) -> SwarmPlant:
    """With all nodes ready, and agents on each of them."""
    _plant.until("all nodes are ready", lambda: set(_plant.nodes().values()) == {"ready"})
    for _ in range(10):
        _plant.until("the pool is full", _plant.full)
        if len(_plant.spread()) == len(swarm.hosts):
            return _plant
        _spread_anew(_plant)
    raise AssertionError(f"no agent on some node: {_plant.spread()}")


def _spread_anew(plant: SwarmPlant) -> None:
    """Swarms do not move what runs: the fullest node gives two of the map's agents away."""
    name, _ = plant.spread().most_common(1)[0]
    host = plant.hosts.host(name)
    for agent in plant.serving("chaos-count", host)[:2]:
        host.end_agent(agent)
    plant.until("they are missed", lambda: not plant.full())


def victim(plant: SwarmPlant) -> Host:
    """A worker: without the manager nobody knows anything."""
    return next(host for host in plant.hosts.hosts[1:] if plant.spread()[host.name] > 0)


@pytest.fixture
def resting(plant: SwarmPlant) -> Iterator[str]:
    """A pool that nobody uses, with agents on every node, which no check of their health ends."""

    def there() -> list[bool]:
        return [bool(plant.serving("resting", host)) for host in plant.hosts.hosts]

    # The swarm fills the emptiest node first: enough for all of them.
    pool = {"name": "resting", "image": "agentainer/python-agent", "min_size": 12, "max_size": 12}
    answer = plant.platform.http.post("pools/", json={**pool, "health_check_interval": 3600})
    assert answer.status_code == 201, answer.text
    try:
        plant.until("agents rest everywhere", lambda: all(there()))
        yield "resting"
    finally:
        resting = {agent for host in plant.hosts.hosts for agent in plant.serving("resting", host)}
        assert plant.platform.http.delete("pools/resting/").status_code == 204
        plant.until("they are gone", lambda: not plant.left_of(resting))


def test_a_node_loses_its_power(plant: SwarmPlant, resting: str) -> None:
    host = victim(plant)
    at_rest = plant.serving(resting, host)
    assert at_rest
    run_id = plant.begin_and_reach(30)
    there = host.agents()
    host.kill()
    seen = plant.hosts.until_state(host, "down")
    lost = plant.until("the node is shown as lost", lambda: plant.nodes()[host.name] == "lost")
    print(f"\npower cut: seen by the swarm after {seen:.1f} s, shown {lost:.1f} s later", end="")
    plant.check(run_id)
    plant.until("the pool is full elsewhere", plant.full)
    assert host.name not in plant.spread()
    # Those at work may have been given up by their executors before the swarm noticed; the resting cannot.
    assert plant.reasons(there) <= {"node_lost", "errors", "unhealthy"}
    assert plant.reasons(at_rest) == {"node_lost"}
    host.boot()
    host.wait()
    plant.until("it is back", lambda: plant.nodes()[host.name] == "ready")
    plant.until("what was left there is gone", lambda: not host.agents(everything=True))


def test_a_node_is_cut_off(plant: SwarmPlant, resting: str) -> None:
    host = victim(plant)
    at_rest = plant.serving(resting, host)
    assert at_rest
    run_id = plant.begin_and_reach(30)
    host.cut()
    seen = plant.hosts.until_state(host, "down")
    lost = plant.until("the node is shown as lost", lambda: plant.nodes()[host.name] == "lost")
    print(f"\ncut off: seen by the swarm after {seen:.1f} s, shown {lost:.1f} s later", end="")
    there = host.agents()
    assert there, "its agents run on, out of reach"
    plant.check(run_id)
    plant.until("the pool is full elsewhere", plant.full)
    # Those at work may have been given up by their executors before the swarm noticed; the resting cannot.
    assert plant.reasons(there) <= {"node_lost", "errors", "unhealthy"}
    assert plant.reasons(at_rest) == {"node_lost"}
    host.mend()
    plant.until("it is back", lambda: plant.nodes()[host.name] == "ready")
    plant.until("what was left there is gone", lambda: not host.agents(everything=True))


def test_a_node_is_drained(plant: SwarmPlant) -> None:
    host = victim(plant)
    run_id = plant.begin_and_reach(30)
    before = plant.rows("SELECT count(*) FROM workflows_item WHERE attempts > 1")
    answer = plant.platform.http.post(f"nodes/{host.name}/drain/")
    assert (answer.status_code, answer.json()["state"]) == (200, "draining")
    took = plant.until(
        "the engine drains it", lambda: plant.hosts.node(host)["Spec"]["Availability"] == "drain"
    )
    print(f"\ndrained after {took:.1f} s, by then empty", end="")
    assert host.agents() == []
    plant.check(run_id)
    assert plant.rows("SELECT count(*) FROM workflows_item WHERE attempts > 1") == before, (
        "it was interrupted"
    )
    plant.until("the pool is full elsewhere", plant.full)
    assert host.name not in plant.spread()
    answer = plant.platform.http.post(f"nodes/{host.name}/uncordon/")
    assert (answer.status_code, answer.json()["state"]) == (200, "ready")


def test_a_node_is_taken_away_by_its_cloud(plant: SwarmPlant) -> None:
    """With as little notice as can be: what is at work there begins elsewhere, and nobody counts it."""
    host = victim(plant)
    run_id = plant.begin_and_reach(30)
    there = host.agents()
    notice = {"action": "terminate", "time": datetime.now(UTC).isoformat()}
    answer = plant.platform.http.post(f"nodes/{host.name}/interrupt/", json=notice)
    assert (answer.status_code, answer.json()["state"]) == (200, "draining")
    took = plant.until("nothing runs there", lambda: not host.agents())
    print(f"\ntaken away: empty after {took:.1f} s", end="")
    host.kill()
    plant.check(run_id)
    assert plant.reasons(there) == {"spot_interruption"}
    losses = (
        "SELECT sum(i.losses) FROM workflows_item i JOIN workflows_step s ON s.id = i.step_id "
        "WHERE s.run_id = ?"
    )
    assert plant.rows(losses, run_id.hex) == [(0,)]
    plant.until("the pool is full elsewhere", plant.full)
    host.boot()
    host.wait()
    assert plant.platform.http.post(f"nodes/{host.name}/uncordon/").json()["leave_by"] is None


def test_a_cordoned_node_takes_no_agents(plant: SwarmPlant) -> None:
    host = victim(plant)
    assert plant.platform.http.post(f"nodes/{host.name}/cordon/").json()["state"] == "cordoned"
    there, before = set(host.agents()), plant.spread()[host.name]
    ended = plant.serving("chaos-count", host)[0]
    host.end_agent(ended)
    plant.until("it is replaced", lambda: plant.full() and plant.spread()[host.name] == before - 1)
    assert set(host.agents()) == there - {ended}
    assert plant.nodes()[host.name] == "cordoned"


def test_deployed_agents_of_a_lost_node_are_started_elsewhere(plant: SwarmPlant) -> None:
    """Requests that came meanwhile are delivered there, in order; what was left on the node goes when it is
    back."""
    http = plant.platform.http
    crew = {"name": "crew", "replicas": 5, "resources": {"memory": "128M", "cpu": 0.5}}
    document = {"kind": "AgentDeployment", "spec": {"agents": [crew]}}
    made = [agent["id"] for agent in http.post("agents/", json=document).json()["results"]]

    def agents() -> list[dict[str, Any]]:
        found = plant.get("agents/?kind=deployed")["results"]
        return [agent for agent in found if agent["id"] in made]

    def well() -> bool:
        return all(agent["state"] == "running" and agent["health"] == "ok" for agent in agents())

    def request(agent: str, number: int, **headers: str) -> httpx.Response:
        body = {"input": {"number": number}, "code": WORK}
        return http.post(f"agents/{agent}/invoke", json=body, headers=headers)

    try:
        plant.until("the crew is well", well, 90)
        # Any but the manager's: without it nobody knows anything.
        there = next(agent for agent in agents() if agent["node"] != plant.hosts.manager.name)
        host, name = plant.hosts.host(there["node"]), there["id"]
        assert request(name, 4).json()["output"] == 16
        usage = plant.get(f"agents/{name}/metrics/")
        assert usage["memory"] > 1_000_000
        host.kill()
        waiting = [request(name, number, Prefer="respond-async").json()["request_id"] for number in (5, 6)]
        plant.until(
            "it runs elsewhere", lambda: well() and host.name not in {a["node"] for a in agents()}, 90
        )
        now = plant.get(f"agents/{name}/")
        assert (now["restarts"], now["exit_reason"]) == (1, "Its node was lost.")

        def ends() -> list[Any]:
            return [plant.get(f"agents/{name}/requests/{each}/") for each in waiting]

        plant.until("what waited is delivered", lambda: {end["state"] for end in ends()} == {"completed"})
        first, second = (end["finished_at"] for end in ends())
        assert first < second
        host.boot()
        host.wait()
        plant.until("it is back", lambda: plant.nodes()[host.name] == "ready")
        plant.until(
            "what was left there is gone", lambda: not host.agents("agentainer.deployed", everything=True)
        )
        assert well()
    finally:
        for agent in made:
            http.delete(f"agents/{agent}/")


def test_nodes_tell_price_capacity_and_zone(plant: SwarmPlant) -> None:
    host = plant.hosts.hosts[2]
    labels = {"agentainer.price": "0.031", "agentainer.capacity": "spot", "agentainer.zone": "attic"}
    plant.hosts.label(host, labels)

    def told() -> bool:
        node = plant.get(f"nodes/{host.name}/")
        return (node["price"], node["capacity_type"], node["zone"]) == (0.031, "spot", "attic")

    plant.until("the labels are told", told)
    node = plant.get(f"nodes/{host.name}/")
    assert node["address"] == host.address
    assert node["capacity"]["cpus"] > 0
    assert node["agents"] == plant.spread()[host.name] + _of_the_shared_pool(plant, host.name)


def _of_the_shared_pool(plant: SwarmPlant, node: str) -> int:
    agents = plant.get("agents/?pool=python")["results"]
    return sum(agent["node"] == node for agent in agents)
