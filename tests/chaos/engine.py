"""A Docker Engine of the chaos suite's own, which it may stop and start as it likes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
from docker.errors import DockerException


class DockerEngine:
    """`url` is for DOCKER_HOST. Everything of it lies in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.url = f"unix://{directory}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers. On a busy machine its containerd may be too slow, hence three tries."""
        for _ in range(3):
            if self._try_to_start():
                return
        raise RuntimeError(f"dockerd did not start:\n{(self._directory / 'log').read_text()[-2000:]}")

    def _try_to_start(self) -> bool:
        self._directory.mkdir(parents=True, exist_ok=True)
        for left in ("docker.pid", "docker.sock"):
            (self._directory / left).unlink(missing_ok=True)
        command = ["dockerd", "--host", self.url]
        for name in ("data-root", "exec-root", "pidfile"):
            command += [f"--{name}", str(self._directory / ("docker.pid" if name == "pidfile" else name))]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if self.answers():
                return True
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        self.stop()
        return False

    def answers(self) -> bool:
        """Looks for the socket first: a client that cannot connect leaves one of its own open."""
        if not (self._directory / "docker.sock").exists():
            return False
        try:
            with self._client() as client:
                client.ping()
        except DockerException:
            return False
        return True

    def stop(self) -> None:
        """As an upgrade of the engine does: its containers end with it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None
            # One that had to be killed leaves its directory mounted, and it cannot be deleted then.
            mounted = ["umount", "--lazy", str(self._directory / "data-root")]
            subprocess.run(mounted, check=False, capture_output=True)

    def containers(self, *, everything: bool = True) -> list[str]:
        """The ids of agents' containers: the running ones, or those that ended too."""
        with self._client() as client:
            found = client.containers.list(
                all=everything, filters={"label": "agentainer.agent"}, ignore_removed=True
            )
            return [str(container.id) for container in found]

    def kill_container(self, container: str) -> None:
        with self._client() as client:
            client.containers.get(container).kill()

    @contextmanager
    def _client(self) -> Iterator[docker.DockerClient]:
        client = docker.DockerClient(self.url, timeout=20)
        try:
            yield client
        finally:
            client.close()
