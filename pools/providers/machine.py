"""Runs on each machine of a node group, as root: joins the swarm, then tells when the machine is taken away.

Sent with the machine's user data as it stands here, hence nothing but the standard library, for any Python
from 3.7 on. Reads `{"url", "token", "metadata"}` from the file that its first argument names.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

EVERY = 5  # seconds between two looks, as EC2 advises
PATIENCE = 5  # seconds for an answer


def fetch(
    url: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> bytes:
    """The answer's bytes. Raises OSError; HTTPError is one."""
    request = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return bytes(answer.read())


def tell(settings: Mapping[str, str], path: str, message: Mapping[str, Any]) -> Any:
    """What the platform answers to the machine."""
    headers = {"Authorization": "Bearer " + settings["token"], "Content-Type": "application/json"}
    address = settings["url"].rstrip("/") + "/api/v1/machines/" + path + "/"
    return json.loads(fetch(address, "POST", headers, json.dumps(message).encode()))


def notice(metadata: str) -> Any:
    """What instance metadata says of an interruption; None while there is none (IMDSv2)."""
    lasting = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    token = fetch(metadata + "/latest/api/token", "PUT", lasting).decode()
    headers = {"X-aws-ec2-metadata-token": token}
    try:
        return json.loads(fetch(metadata + "/latest/meta-data/spot/instance-action", headers=headers))
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


def swarm(*words: str) -> str:
    done = subprocess.run(("docker", *words), stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().strip()


def join(settings: Mapping[str, str]) -> bool:
    """Idempotent: a machine that is in the swarm says so again."""
    if swarm("info", "--format", "{{.Swarm.LocalNodeState}}") != "active":
        invitation = tell(settings, "join", {})
        swarm("swarm", "join", "--token", invitation["token"], invitation["address"])
    tell(settings, "joined", {"node": swarm("info", "--format", "{{.Swarm.NodeID}}")})
    return True


def look(settings: Mapping[str, str]) -> bool:
    """One look at the metadata. True when there was a notice, and the platform has it."""
    found = notice(settings["metadata"])
    if found is None:
        return False
    tell(settings, "notice", {"action": found.get("action"), "time": found.get("time")})
    return True


def until_done(work: Callable[[Mapping[str, str]], bool], settings: Mapping[str, str]) -> None:
    while True:
        try:
            if work(settings):
                return
        except (OSError, ValueError, KeyError, subprocess.CalledProcessError) as error:
            print("it is tried again:", error, file=sys.stderr, flush=True)
        time.sleep(EVERY)


def main() -> None:
    with open(sys.argv[1]) as file:
        settings = json.load(file)
    until_done(join, settings)
    until_done(look, settings)


if __name__ == "__main__":
    main()
