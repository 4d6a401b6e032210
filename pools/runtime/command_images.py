"""Images of users with the built-in agent laid on top, so that commands run in them; made once for each.

The agent brings its own interpreter, libraries and loader below one directory (see `portable`), hence asks
nothing of the image: neither Python nor a shell, nor a C library of any kind. See
docs/adr/0019-commands-by-an-agent-in-every-image.md.

Does not: fetch images, or change the image's own programs, environment and working directory.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
from pathlib import Path

import docker
from docker.errors import APIError
from docker.models.images import Image

from pools.runtime.base import RuntimeFault
from pools.runtime.images import USER, build, ensure_built_in, entrypoint_of, present

log = logging.getLogger(__name__)

RECIPE = "1"  # raise it when the way the images are made changes
PORTABLE_IMAGE = "agentainer/portable-agent"
COMMAND_IMAGE = "agentainer/command-agent"
OF = "agentainer.commands-of"  # label: the name of the image below
STAGE = "agentainer.gathered"  # label of what an engine keeps of making the portable agent
GATHER = Path(__file__).with_name("portable.py")
ROOT = "/.agentainer"
_making = threading.Lock()  # agents are created side by side; the first makes it, the others wait

PORTABLE = """FROM {built_in} AS gathered
USER 0
COPY portable.py /portable.py
RUN ["{python}", "/portable.py", "/gathered"]
LABEL {label}=yes
FROM scratch
COPY --from=gathered /gathered {root}
"""
# The image has its own idea of health, of Python's settings and of libraries; the agent takes none of it.
WITH_AGENT = """FROM {image}
COPY --from={portable} / /
HEALTHCHECK NONE
{directory}USER {user}
ENTRYPOINT ["{root}/lib/ld.so", "--library-path", "{root}/lib", "{root}/bin/python3", \
"-ISB", "-X", "utf8", "-m", "agentainer_flow.agent"]
CMD []
"""


def ensure_with_agent(client: docker.DockerClient, name: str, image: Image) -> str:
    """The name of an image like this one in which the agent serves. Raises `RuntimeFault`."""
    with _making:
        portable = _ensure_portable(client)
        _check_platform(name, image, client.images.get(portable))
        content = f"{RECIPE} {portable} {image.id}"
        tag = f"{COMMAND_IMAGE}:{hashlib.sha256(content.encode()).hexdigest()[:16]}"
        if not present(client, tag):
            recipe = WITH_AGENT.format(
                image=image.id, portable=portable, directory=_directory_of(image), user=USER, root=ROOT
            )
            log.info("laying the agent on the image %s, as %s", name, tag)
            build(client, recipe, tag, {}, what=f"The image {name} with the agent on it", labels={OF: name})
            _remove_former(client, name, tag)
        return tag


def _ensure_portable(client: docker.DockerClient) -> str:
    built_in = ensure_built_in(client)
    gather = GATHER.read_bytes()
    digest = hashlib.sha256(f"{RECIPE} {built_in} {PORTABLE}".encode() + gather).hexdigest()
    tag = f"{PORTABLE_IMAGE}:{digest[:16]}"
    if not present(client, tag):
        recipe = PORTABLE.format(
            built_in=built_in, python=entrypoint_of(client, built_in)[0], root=ROOT, label=STAGE
        )
        build(client, recipe, tag, {GATHER.name: gather}, what="The agent for other images")
        client.images.prune(filters={"dangling": True, "label": STAGE})
    return tag


def _check_platform(name: str, image: Image, portable: Image) -> None:
    theirs, ours = (f"{one.attrs.get('Os')}/{one.attrs.get('Architecture')}" for one in (image, portable))
    if theirs != ours:
        raise RuntimeFault(
            f"The image {name} is made for {theirs}, and this engine's agents for {ours}, so they cannot run "
            f"commands in it. Use the image's build for {ours}."
        )


def _directory_of(image: Image) -> str:
    """Commands start where the image says; where it says nothing, in their scratch space."""
    directory = (image.attrs.get("Config") or {}).get("WorkingDir") or "/"
    if directory == "/":
        return ""
    quoted = directory.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'ENV AGENTAINER_DIRECTORY="{quoted}"\n'


def _remove_former(client: docker.DockerClient, name: str, tag: str) -> None:
    """Those that were made of what had this name before; one that agents still use stays."""
    for former in client.images.list(filters={"label": f"{OF}={name}"}):
        if tag not in former.tags:
            with contextlib.suppress(APIError):
                client.images.remove(str(former.id))
