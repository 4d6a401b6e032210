"""The engines of a swarm's nodes: what the manager does not do for us is done there.

A swarm hands out names of images, not images, and its networks of one node need their settings on that
node. So before an agent can be placed on a node its engine is given both. An engine is reached by the node's
label `agentainer.engine` (the manager's by DOCKER_HOST), with the same TLS settings as the manager's. A node
whose engine is not reached takes no agents.

Blocking; for threads alone. A node that hangs costs its time-out once in a while, never each time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import docker
import requests
from docker.errors import APIError, DockerException, NotFound

from pools.runtime.base import RuntimeFault
from pools.runtime.swarm_shapes import SwarmNode

log = logging.getLogger(__name__)
T = TypeVar("T")

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 20.0
END_SECONDS = 5.0  # whoever waits for it looks again whether the node is there at all
COPY_SECONDS = 180.0  # between two bytes of an image
AFTER_TROUBLE = 15.0  # seconds in which a node that made trouble is not asked to take agents
AT_ONCE = 4


class NodeTrouble(RuntimeFault):
    """The engine of one node does not do what it should; the others are not concerned."""


def name_of(client: docker.DockerClient, image: str) -> str:
    """What to save it by, so that it keeps its name on the other nodes."""
    names = client.api.inspect_image(image).get("RepoTags") or []
    return str(names[0]) if names else image


def make_network(client: docker.DockerClient, settings: dict[str, Any]) -> None:
    """One that is there already is left as it is. The SDK knows no networks with settings of another."""
    api: Any = client.api
    answer = api._post_json(api._url("/networks/create"), data={**settings, "CheckDuplicate": True})
    if answer.status_code != 409:
        api._raise_for_status(answer)


class Hosts:
    """`config` is the name of the settings on each node that agents' network needs, `settings` what those of
    every network are."""

    def __init__(self, config: str, labels: dict[str, str], settings: dict[str, str]) -> None:
        self._config = config
        self._labels = labels
        self._settings = settings
        self._clients: dict[tuple[str, float | None], docker.DockerClient] = {}
        self._ready: dict[str, set[str]] = {}  # node -> images; only once it has the network's settings
        self._trouble: dict[str, float] = {}  # node -> until when it is left alone
        self._opening = threading.Lock()
        self._preparing = threading.Lock()

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def connect(self, node: SwarmNode, patience: float | None = ANSWER_SECONDS) -> docker.DockerClient:
        """A new client; `patience` None waits for ever for what comes after the connection."""
        environment = {**os.environ, "DOCKER_HOST": node.engine}
        # A socket of this machine takes one number; over a network connecting has a limit of its own.
        limit = patience if node.engine.startswith("unix") else (CONNECT_SECONDS, patience)
        return docker.from_env(environment=environment, timeout=limit)  # type: ignore[arg-type]

    def _client(self, node: SwarmNode, patience: float | None = ANSWER_SECONDS) -> docker.DockerClient:
        with self._opening:
            known = self._clients.get((node.engine, patience))
        if known is None:
            known = self.connect(node, patience)
            with self._opening:
                known = self._clients.setdefault((node.engine, patience), known)
        return known

    def _drop(self, node: SwarmNode) -> None:
        with self._opening:
            stale = [key for key in self._clients if key[0] == node.engine]
            clients = [self._clients.pop(key) for key in stale]
        for client in clients:
            client.close()

    def ask(
        self,
        node: SwarmNode,
        question: Callable[[docker.DockerClient], T],
        patience: float | None = ANSWER_SECONDS,
    ) -> T:
        """Raises `NodeTrouble`, and `NotFound` where the node's engine knows no such thing."""
        if not node.engine:
            raise NodeTrouble(node.seen.note)
        try:
            try:
                return question(self._client(node, patience))
            except requests.ConnectTimeout:
                raise
            except requests.ConnectionError:
                # The engine may be another than the one that the kept connection led to: it began anew.
                self._drop(node)
                return question(self._client(node, patience))
        except NotFound:
            raise
        except APIError as exc:
            raise NodeTrouble(f"Node {node.seen.name} refused: {exc.explanation or exc}.") from exc
        except (DockerException, requests.RequestException, OSError) as exc:
            raise NodeTrouble(
                f"The engine of node {node.seen.name} does not answer at {node.engine} ({exc})."
            ) from exc

    # --- before agents come ------------------------------------------------------------------------

    def prepare(
        self, image: str, name: str, nodes: Iterable[SwarmNode], source: docker.DockerClient
    ) -> set[str]:
        """Gives every open node the image and the network's settings. Returns the nodes that lack them.

        `image` is an id, `name` what to save it by; `source` is the manager, which has it.
        """
        with self._preparing:  # agents are created side by side; the first copies, the others wait
            wanting = [
                node
                for node in nodes
                if node.takes_agents and image not in self._ready.get(node.seen.ref, set())
            ]
            if not wanting:
                return set()
            with ThreadPoolExecutor(min(AT_ONCE, len(wanting))) as threads:
                done = list(threads.map(lambda node: self._prepared(node, image, name, source), wanting))
        return {node.seen.ref for node, prepared in zip(wanting, done, strict=True) if not prepared}

    def _prepared(self, node: SwarmNode, image: str, name: str, source: docker.DockerClient) -> bool:
        ref = node.seen.ref
        if not node.engine or time.monotonic() < self._trouble.get(ref, 0.0):
            return False
        try:
            self.ensure_settings(node, self._config)
            self.ensure_image(node, image, name, source)
        except NodeTrouble as exc:
            log.warning("node %s takes no agents for now: %s", node.seen.name, exc)
            self._trouble[ref] = time.monotonic() + AFTER_TROUBLE
            return False
        self._ready.setdefault(ref, set()).add(image)
        return True

    def ensure_settings(self, node: SwarmNode, config: str) -> None:
        """Of the networks that name them so. Raises `NodeTrouble`."""

        def make(client: docker.DockerClient) -> None:
            if client.api.networks(names=[config]):
                return
            body = {"Name": config, "ConfigOnly": True, "Labels": self._labels}
            make_network(client, {**body, "Options": self._settings})

        self.ask(node, make)

    def ensure_image(self, node: SwarmNode, image: str, name: str, source: docker.DockerClient) -> None:
        """Raises `NodeTrouble`."""
        try:
            self.ask(node, lambda client: client.api.inspect_image(image))
            return
        except NotFound:
            pass
        started = time.monotonic()

        def copy(client: docker.DockerClient) -> None:
            for step in client.api.load_image(source.api.get_image(name)):
                if "error" in step:
                    raise NodeTrouble(
                        f"Node {node.seen.name} did not take the image {name}: {step['error']}."
                    )

        self.ask(node, copy, COPY_SECONDS)
        try:
            self.ask(node, lambda client: client.api.inspect_image(image))
        except NotFound as exc:
            raise NodeTrouble(
                f"Node {node.seen.name} keeps the image {name} by another id: its engine stores images in "
                "another way than the manager's. Use the same storage on all nodes."
            ) from exc
        log.info("node %s was given the image %s in %.1f s", node.seen.name, name, time.monotonic() - started)

    def forget(self, ref: str) -> None:
        """What the node had may be gone: it began anew, or somebody pruned its images."""
        self._ready.pop(ref, None)

    # --- agents that are there -----------------------------------------------------------------------

    def stop(self, node: SwarmNode, container: str, grace: float) -> None:
        """Asks it to leave, and waits for that; it may still be there when the time is up."""

        def leave(client: docker.DockerClient) -> None:
            client.api.kill(container, "SIGTERM")
            client.api.wait(container, timeout=max(1, int(grace)))  # of reading the answer

        with contextlib.suppress(NotFound, NodeTrouble):
            self.ask(node, leave)

    def kill(self, node: SwarmNode, container: str) -> None:
        """Returns when it has ended; it stays, to be looked at. Raises `NodeTrouble`."""

        def kill(client: docker.DockerClient) -> None:
            try:
                client.api.kill(container)
            except APIError as exc:
                if exc.status_code != 409:  # it has ended already
                    raise
            client.api.wait(container, timeout=int(END_SECONDS))

        with contextlib.suppress(NotFound):
            self.ask(node, kill)

    def end(self, node: SwarmNode, container: str) -> bool:
        """Kills and removes; True when nothing of it is left."""
        try:
            self.ask(
                node,
                lambda client: client.api.remove_container(container, force=True, v=True),
                END_SECONDS,
            )
        except NotFound:
            return True
        except NodeTrouble as exc:
            # Its own engine is at it already, or it went in this moment.
            log.debug("container %s is not removed yet: %s", container[:12], exc)
            return False
        return True

    def logs(self, node: SwarmNode, container: str, tail: int) -> str:
        try:
            raw = self.ask(node, lambda client: client.api.logs(container, tail=tail))
        except NotFound:
            return ""
        return bytes(raw).decode("utf-8", "replace")

    def has_settings(self, node: SwarmNode, config: str) -> bool:
        """Raises `NodeTrouble`."""
        return bool(self.ask(node, lambda client: client.api.networks(names=[config])))

    def remove_settings(self, node: SwarmNode, config: str) -> bool:
        try:
            self.ask(node, lambda client: client.api.remove_network(config))
        except NotFound:
            return True
        except NodeTrouble as exc:
            log.debug("the network's settings stay on node %s: %s", node.seen.name, exc)
            return False
        return True
