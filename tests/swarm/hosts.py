"""Several Docker hosts on this machine, and a swarm over them.

Each host is a process tree in namespaces of its own (network, hostname, mounts, processes) with one cable
into a bridge that lies in the namespace of whoever makes it. That must not be the machine's own: run the
tests under `tests/chaos/apart.py`. Nothing of it has a name outside, so whatever ends the tests ends the
hosts, too.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException

PROGRAMS = ("docker", "dockerd", "docker-init", "ip", "setpriv", "unshare")
BRIDGE = "aflow0"
NET = "10.213.77"
# Docker's own clock of a node's death: three missed beats and a little more.
HEARTBEAT = 1
MEMBERS = ("node-a", "node-b", "node-c")
# Whatever ends us ends the hosts.
UNSHARE = (
    "setpriv",
    "--pdeathsig",
    "KILL",
    "unshare",
    "--net",
    "--uts",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
)
BOOT = """
until ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
hostname "$NAME"
ip link set lo up
ip addr add "$ADDRESS/24" dev eth0
ip link set eth0 up
echo 1 >/proc/sys/net/ipv4/ip_forward
exec dockerd --host "unix://$HOME_DIR/docker.sock" --host "tcp://$ADDRESS:2375" --tls=false \
    --data-root "$HOME_DIR/data" --exec-root "$HOME_DIR/exec" --pidfile "$HOME_DIR/pid" \
    --bip "172.$OCTET.0.1/24" --default-address-pool "base=172.$OCTET.128.0/17,size=24" \\
    --no-new-privileges --userland-proxy=false
"""


METADATA = "169.254.169.254"  # where clouds tell their machines what they may do, and names
# Says its port, then takes whoever connects. `ADDRESS` is given to the cable's end, once that is there; such
# a machine answers for METADATA, too, and as OVER_IPV6, where it finds the rest of the world behind SIX.1.
SIX = "fd98::"
OVER_IPV6 = f"{SIX}99"
LISTEN = """
import os, socket, subprocess, threading, time
def names():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((os.environ["METADATA"], 53))
        while True:
            server.sendto(b"!", server.recvfrom(100)[1])
if address := os.environ.get("ADDRESS"):
    while subprocess.run(["ip", "link", "show", "eth0"], capture_output=True).returncode:
        time.sleep(0.01)
    for command in (
        "addr add %s/24 dev eth0" % address,
        "addr add %s/32 dev eth0" % os.environ["METADATA"],
        "addr add fd98::99/64 dev eth0 nodad",
        "link set eth0 up",
        "route add default via fd98::1",
    ):
        subprocess.run(["ip", *command.split()], check=True)
    threading.Thread(target=names, daemon=True).start()
with socket.create_server(("::", 0), family=socket.AF_INET6, backlog=50, dualstack_ipv6=True) as server:
    print(server.getsockname()[1], flush=True)
    while True:
        server.accept()[0].close()
"""


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def _listening(*prefix: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    command = ["setpriv", "--pdeathsig", "KILL", *prefix, sys.executable, "-c", LISTEN]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


def _port_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


@contextmanager
def beyond() -> Iterator[tuple[str, int]]:
    """A machine that is no node, and listens: what agents may reach that reach the outside."""
    address = f"{NET}.99"
    with _listening("unshare", "--net", ADDRESS=address, METADATA=METADATA) as process:
        plug("cable-out", process.pid)
        yield address, _port_of(process)


def plug(cable: str, pid: int, bridge: str = BRIDGE) -> None:
    """The other end of the cable, `eth0`, appears in the namespace once there is one."""
    ours = os.readlink("/proc/self/ns/net")
    while os.readlink(f"/proc/{pid}/ns/net") == ours:
        time.sleep(0.01)
    run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    run("ip", "link", "set", cable, "master", bridge, "up")


class Host:
    """One machine: `kill` is a power cut, `cut` pulls its cable."""

    def __init__(self, directory: Path, name: str, number: int) -> None:
        self.name = name
        self.address = f"{NET}.{10 + number}"
        self.engine = f"tcp://{self.address}:2375"
        self.directory = directory
        self._octet = 40 + number
        self._cable = f"cable{number}"
        self._launcher: subprocess.Popen[bytes] | None = None

    @property
    def up(self) -> bool:
        return self._launcher is not None and self._launcher.poll() is None

    def boot(self) -> None:
        """Begins to start; `wait` returns when its engine answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        # What a machine keeps in memory is gone when it starts.
        shutil.rmtree(self.directory / "exec", ignore_errors=True)
        for left in ("pid", "docker.sock"):
            (self.directory / left).unlink(missing_ok=True)
        settings = {"NAME": self.name, "ADDRESS": self.address, "OCTET": str(self._octet)}
        environment = {**os.environ, **settings, "HOME_DIR": str(self.directory)}
        command = [*UNSHARE, "docker-init", "--", "sh", "-euc", BOOT]
        with (self.directory / "log").open("ab") as log:
            self._launcher = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        plug(self._cable, self._launcher.pid)

    def inside(self, *command: str) -> str:
        """What it says, run in the host's network."""
        return run(*self._enter, *command)

    @property
    def _enter(self) -> tuple[str, ...]:
        assert self._launcher is not None
        return "nsenter", f"--net=/proc/{self._launcher.pid}/ns/net"

    @contextmanager
    def listening(self) -> Iterator[int]:
        """Something that listens on all of its addresses; the port."""
        with _listening(*self._enter) as process:
            yield _port_of(process)

    def wait(self, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not self._answers():
            if time.monotonic() > until or self._launcher is None or self._launcher.poll() is not None:
                log = (self.directory / "log").read_text(errors="replace")
                raise RuntimeError(f"the engine of {self.name} did not start:\n{log[-2000:]}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        if not (self.directory / "docker.sock").exists():
            return False
        with suppress(DockerException), self.client() as client:
            return bool(client.ping())
        return False

    @contextmanager
    def client(self) -> Iterator[docker.DockerClient]:
        """By its socket, which does not need the cable."""
        client = docker.DockerClient(f"unix://{self.directory}/docker.sock", timeout=30)
        try:
            yield client
        finally:
            client.close()

    def kill(self) -> None:
        if self._launcher is not None:
            self._launcher.kill()
            self._launcher.wait(30)
            self._launcher = None
            with suppress(subprocess.CalledProcessError):  # it went with the namespace
                run("ip", "link", "delete", self._cable)

    def ask_to_stop(self) -> None:
        """In good order where it can be: engines that are killed leave empty control groups behind."""
        if self._launcher is not None:
            with suppress(OSError):
                children = Path(f"/proc/{self._launcher.pid}/task/{self._launcher.pid}/children").read_text()
                for child in children.split():
                    os.kill(int(child), signal.SIGTERM)

    def stop(self) -> None:
        if self._launcher is not None:
            with suppress(subprocess.TimeoutExpired):
                self._launcher.wait(10)
            self.kill()

    def cut(self) -> None:
        run("ip", "link", "set", self._cable, "down")

    def mend(self) -> None:
        run("ip", "link", "set", self._cable, "up")

    def end_agent(self, agent: str) -> None:
        """As fate would: its process is killed."""
        with self.client() as client:
            for row in client.api.containers(filters={"label": f"agentainer.agent={agent}"}):
                client.api.kill(row["Id"])

    def agents(self, kind: str = "agentainer.agent", *, everything: bool = False) -> list[str]:
        """The ids of agents whose containers run here, or are here. `kind`: the label that has them."""
        with self.client() as client:
            found = client.api.containers(all=everything, filters={"label": kind})
        return [str(row["Labels"][kind]) for row in found]


class Swarm:
    """`hosts[0]` manages; its engine's address is for DOCKER_HOST."""

    def __init__(self, directory: Path, names: tuple[str, ...] = MEMBERS) -> None:
        self.hosts = [Host(directory / name, name, number) for number, name in enumerate(names)]
        self._directory = directory

    @property
    def manager(self) -> Host:
        return self.hosts[0]

    def host(self, name: str) -> Host:
        return next(host for host in self.hosts if host.name == name)

    def start(self) -> None:
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "addr", "add", f"{NET}.1/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        for host in self.hosts:
            host.boot()
        for host in self.hosts:
            host.wait()
        self._join()

    def _join(self) -> None:
        with self.manager.client() as client:
            client.swarm.init(
                advertise_addr=self.manager.address,
                listen_addr=f"{self.manager.address}:2377",
                default_addr_pool=["10.214.0.0/16"],
                dispatcher_heartbeat_period=HEARTBEAT * 10**9,
            )
        for host in self.hosts[1:]:
            self.join(host)
        for host in self.hosts:
            self.label(host, {"agentainer.engine": host.engine})

    def join(self, host: Host) -> None:
        with self.manager.client() as client:
            client.swarm.reload()
            token = client.swarm.attrs["JoinTokens"]["Worker"]
        with host.client() as client:
            client.swarm.join(
                remote_addrs=[f"{self.manager.address}:2377"],
                join_token=token,
                advertise_addr=host.address,
                listen_addr=f"{host.address}:2377",
            )

    def leave(self, host: Host) -> None:
        """As if it had never been there."""
        ref = self.node(host)["ID"]
        with host.client() as client:
            client.swarm.leave(force=True)
        with self.manager.client() as client:
            client.api.remove_node(ref, force=True)

    def node(self, host: Host) -> dict[str, Any]:
        """As the manager sees it."""
        with self.manager.client() as client:
            found: dict[str, Any] = next(
                row for row in client.api.nodes() if row["Description"]["Hostname"] == host.name
            )
            return found

    def label(self, host: Host, labels: dict[str, str]) -> None:
        self._change(host, lambda spec: spec.setdefault("Labels", {}).update(labels))

    def unlabel(self, host: Host, label: str) -> None:
        self._change(host, lambda spec: spec["Labels"].pop(label))

    def availability(self, host: Host, wanted: str) -> None:
        self._change(host, lambda spec: spec.update(Availability=wanted))

    def _change(self, host: Host, change: Any) -> None:
        """Again when the swarm wrote the node in between."""
        for _ in range(20):
            row = self.node(host)
            change(row["Spec"])
            try:
                with self.manager.client() as client:
                    client.api.update_node(row["ID"], row["Version"]["Index"], row["Spec"])
                return
            except APIError as exc:
                if "out of sequence" not in str(exc):
                    raise
        raise RuntimeError(f"the node {host.name} would not be changed")

    def restore(self) -> None:
        """Every host up, connected, heard of and open, without labels of a test."""
        for host in self.hosts:
            if not host.up:
                host.boot()
            host.mend()
        for host in self.hosts:
            host.wait()
            self.until_state(host, "ready")
            self._change(host, lambda spec, own={"agentainer.engine": host.engine}: spec.update(Labels=own))
            self.availability(host, "active")

    def until_state(self, host: Host, state: str, seconds: float = 90) -> float:
        """Returns how long it took until the manager saw it."""
        began = time.monotonic()
        while self.node(host)["Status"]["State"] != state:
            if time.monotonic() - began > seconds:
                raise RuntimeError(f"{host.name} is {self.node(host)['Status']} after {seconds:g} s")
            time.sleep(0.05)
        return time.monotonic() - began

    def stop(self) -> None:
        for host in self.hosts:
            host.ask_to_stop()
        for host in self.hosts:
            host.stop()
        with suppress(subprocess.CalledProcessError):
            run("ip", "link", "delete", BRIDGE)
        shutil.rmtree(self._directory, ignore_errors=True)


@contextmanager
def running_swarm(directory: Path) -> Iterator[Swarm]:
    swarm = Swarm(directory)
    try:
        swarm.start()
        yield swarm
    finally:
        swarm.stop()
