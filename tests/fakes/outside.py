"""An address outside of every agent: something that listens on this machine, where ordinary containers get.

Nothing of the internet is needed, so a test that an agent does not get there can fail everywhere.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import docker

from tests.fakes.pools import code
from tests.pieces import lack

# A body that tries to connect, and tells `connected` or the error's type.
CONNECT = code(
    "import socket\n"
    "def main(host, port):\n"
    "    try:\n"
    "        socket.create_connection((host, port), timeout=1).close()\n"
    "    except OSError as exc:\n"
    "        return type(exc).__name__\n"
    "    return 'connected'\n",
)
SCRIPT = (
    "import socket, sys\n"
    "socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5).close()\n"
    "print('connected')\n"
)


def host_of(engine: docker.DockerClient) -> str:
    """This machine's address on the engine's default bridge, where ordinary containers get."""
    (config,) = engine.networks.get("bridge").attrs["IPAM"]["Config"]
    # An engine that has just made its bridge does not name the gateway: it is the first address.
    return str(config.get("Gateway") or ipaddress.ip_network(config["Subnet"])[1])


@contextmanager
def outside(engine: docker.DockerClient, image: str) -> Iterator[tuple[str, int]]:
    """Host and port; proven to be in reach of an ordinary container of this image (with Python in it)."""
    host = host_of(engine)
    with socket.socket() as listener:
        try:
            listener.bind((host, 0))
        except OSError as exc:
            lack("docker", f"the Docker Engine's bridge {host} is not on this machine ({exc})")
        listener.listen(50)
        port: int = listener.getsockname()[1]
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
        assert _ordinary_container_connects(engine, image, host, port), "nobody gets there: proves nothing"
        yield host, port


def _accept(listener: socket.socket) -> None:
    while True:
        try:
            listener.accept()[0].close()
        except OSError:
            return  # closed


def _ordinary_container_connects(engine: docker.DockerClient, image: str, host: str, port: int) -> bool:
    python = engine.images.get(image).attrs["Config"]["Entrypoint"][0]
    command = ["-c", SCRIPT, host, str(port)]
    said = engine.containers.run(image, command, entrypoint=python, network="bridge", remove=True)
    return bytes(said).strip() == b"connected"
