"""The networks of one Docker Engine's agents: an isolated one, and one that reaches the outside.

On neither of them agents reach each other. Blocking; for threads alone.
"""

from __future__ import annotations

import contextlib
import ipaddress
import threading

import docker
from docker.errors import APIError, NotFound
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool


class Networks:
    """`short` tells installations on one engine apart."""

    def __init__(self, instance: str, short: str) -> None:
        self._instance = instance
        self.isolated = f"agentainer-{short}"
        self.outside = f"{self.isolated}-out"
        self._bridges = {self.isolated: f"af-{short}", self.outside: f"ao-{short}"}
        self._making = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._bridges)

    def ensure(self, client: docker.DockerClient, name: str) -> None:
        with self._making:  # agents are created side by side
            try:
                client.networks.get(name)
            except NotFound:
                if name == self.outside:
                    self._create(client, name, None)
                else:
                    self._create_isolated(client)

    def _create_isolated(self, client: docker.DockerClient) -> None:
        """An internal network keeps packets from being forwarded, but this machine's other addresses are not
        forwarded to: they are refused by a default route to an address that nobody has."""
        probe = self._create(client, self.isolated, None)
        probe.reload()  # with the range that the engine chose
        ranges = [ipaddress.ip_network(config["Subnet"]) for config in probe.attrs["IPAM"]["Config"]]
        subnet = next(found for found in ranges if found.version == 4)
        probe.remove()
        nowhere = {"DefaultGatewayIPv4": str(subnet.broadcast_address - 1)}
        ipam = IPAMConfig(pool_configs=[IPAMPool(subnet=str(subnet), aux_addresses=nowhere)])
        self._create(client, self.isolated, ipam)

    def _create(self, client: docker.DockerClient, name: str, ipam: IPAMConfig | None) -> Network:
        return client.networks.create(
            name,
            driver="bridge",
            internal=name == self.isolated,
            check_duplicate=True,
            ipam=ipam,
            labels={"agentainer.instance": self._instance},
            options={
                "com.docker.network.bridge.name": self._bridges[name],
                "com.docker.network.bridge.enable_icc": "false",
            },
        )

    def remove(self, client: docker.DockerClient) -> None:
        """One that is still in use, or gone, is left as it is."""
        for name in self.names:
            with contextlib.suppress(APIError):
                client.networks.get(name).remove()
