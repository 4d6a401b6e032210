"""What a swarm's manager says, read without one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from pools.domain.placement import Place
from pools.runtime.swarm_plans import plan_of
from pools.runtime.swarm_shapes import handle_of, moment, read_nodes, read_tasks
from tests.contract.pools.agents import new_spec

OWN = ("m1", "unix:///var/run/docker.sock")


def node(ref: str, host: str, state: str = "ready", **more: Any) -> dict[str, Any]:
    labels = more.pop("labels", {"agentainer.engine": f"tcp://{host}:2375"})
    return {
        "ID": ref,
        "CreatedAt": "2026-11-25T14:15:28.308497542Z",
        "Status": {"State": state, "Addr": "10.0.0.5"},
        "Spec": {"Labels": labels, "Availability": "active"},
        "Description": {"Hostname": host, "Resources": {"NanoCPUs": 4 * 10**9, "MemoryBytes": 2**33}},
        **more,
    }


def task(agent: str, state: str = "running", desired: str = "running", **more: Any) -> dict[str, Any]:
    return {
        "ID": f"task-of-{agent}",
        "CreatedAt": "2026-11-25T14:15:28.308497542Z",
        "NodeID": "m1",
        "DesiredState": desired,
        "Spec": {"ContainerSpec": {"Labels": {"agentainer.agent": agent, "agentainer.boot": "nonce"}}},
        "Status": {
            "State": state,
            "ContainerStatus": {"ContainerID": "0a222b5b7f8785d37c25"},
            "PortStatus": {"Ports": [{"PublishedPort": 32768}, {"PublishedPort": 32768}]},
        },
        **more,
    }


def test_a_node() -> None:
    (read,) = read_nodes([node("m1", "alpha")], OWN)
    assert (read.engine, read.seen.name, read.seen.address) == ("tcp://alpha:2375", "alpha", "10.0.0.5")
    assert (read.seen.cpus, read.seen.memory) == (4.0, 2**33)
    assert read.seen.heard
    assert read.takes_agents


def test_the_managers_engine_is_known_without_a_label() -> None:
    row = node("m1", "alpha", labels={}, ManagerStatus={"Addr": "10.0.0.9:2377"})
    row["Status"]["Addr"] = "0.0.0.0"
    other = node("w1", "beta", labels={})
    manager, worker = read_nodes([row, other], OWN)
    assert (manager.engine, manager.seen.address, manager.seen.note) == (OWN[1], "10.0.0.9", "")
    assert worker.engine == ""
    assert "agentainer.engine" in worker.seen.note


def test_a_machine_that_was_set_up_anew_keeps_its_name() -> None:
    old, new = node("w1aaaaaaaa", "beta", "down"), node("w2bbbbbbbb", "beta")
    names = {read.seen.ref: read.seen.name for read in read_nodes([old, new], OWN)}
    assert names == {"w2bbbbbbbb": "beta", "w1aaaaaaaa": "beta-w1aaaa"}


@pytest.mark.parametrize(
    ("state", "heard"), [("ready", True), ("unknown", True), ("down", False), ("disconnected", False)]
)
def test_which_nodes_are_lost(state: str, heard: bool) -> None:
    agent = str(uuid4())
    (known,) = read_nodes([node("m1", "alpha", state)], OWN)
    (found,) = read_tasks([task(agent)])
    handle = handle_of(found, known)
    assert known.seen.heard is heard
    assert (handle.running, handle.lost) == (heard, not heard)
    assert (handle.address, handle.node, handle.nonce) == ("10.0.0.5:32768", "alpha", "nonce")


def test_a_task_on_a_node_that_left_is_lost() -> None:
    (found,) = read_tasks([task(str(uuid4()))])
    handle = handle_of(found, None)
    assert (handle.running, handle.lost, handle.address) == (False, True, "")


def test_a_task_that_ended_before_its_node_went_is_not_lost() -> None:
    (known,) = read_nodes([node("m1", "alpha", "down")], OWN)
    (found,) = read_tasks([task(str(uuid4()), "failed")])
    assert (handle_of(found, known).running, handle_of(found, known).lost) == (False, False)


def test_tasks_of_others_and_tasks_without_a_container() -> None:
    stranger = {**task("x"), "Spec": {"ContainerSpec": {}}}
    waiting = task(str(uuid4()), "pending", Status={"State": "pending", "Err": "no suitable node"})
    (found,) = read_tasks([stranger, waiting])
    assert (found.port, found.container, found.trouble) == (None, "", "no suitable node")


def test_moments_have_nanoseconds() -> None:
    later, whole = moment("2026-11-25T14:15:28.308497542Z"), moment("2026-11-25T14:15:28Z")
    assert later - whole == pytest.approx(0.3085, abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "zone", "wanted"),
    [
        ("", "", ["node.id!=bad"]),
        ("spot", "", ["node.id!=bad", "node.labels.agentainer.capacity==spot"]),
        (
            "on_demand",
            "north",
            [
                "node.id!=bad",
                "node.labels.agentainer.capacity!=spot",
                "node.labels.agentainer.zone==north",
            ],
        ),
    ],
)
def test_where_an_agent_may_run(kind: str, zone: str, wanted: list[str]) -> None:
    spec = replace(new_spec(), place=Place(kind, zone))
    plan = plan_of(spec, instance="i", name="a")
    made = plan.template("sha256:1", network="n", without={"bad"}, api=(1, 41))
    assert made["Placement"]["Constraints"] == wanted


def test_new_privileges_are_refused_where_the_engine_can() -> None:
    old, new = (
        plan_of(new_spec(), instance="i", name="a").template("sha256:1", network="n", without=(), api=api)
        for api in ((1, 41), (1, 46))
    )
    assert "Privileges" not in old["ContainerSpec"]
    assert new["ContainerSpec"]["Privileges"] == {"NoNewPrivileges": True}
