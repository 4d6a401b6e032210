"""Images of others, made of this machine's own programs: they know nothing of agents, and have no Python."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path

import docker

from pools.runtime.images import add_file, add_folder, shared_libraries

BARE = "af-test/bare:1"  # one program, no shell
SHELL = "af-test/shell:1"  # and a working directory
PROGRAMS = {BARE: ("cat",), SHELL: ("sh", "cat", "head", "sleep", "sort", "tail", "yes")}
DIRECTORY = "/srv/work dir"
OURS = "af-test.image"


def make_images(engine: docker.DockerClient) -> None:
    make_image(engine, BARE, PROGRAMS[BARE])
    make_image(engine, SHELL, PROGRAMS[SHELL], f"WORKDIR {DIRECTORY}", "ENV FLAVOUR=plain")


def make_image(engine: docker.DockerClient, name: str, programs: Iterable[str], *changes: str) -> None:
    """`changes`: lines of a Dockerfile."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        _fill(tar, programs)
    content.seek(0)
    repository, _, tag = name.partition(":")
    lines = [f"LABEL {OURS}=yes", *changes]
    engine.api.import_image_from_data(content, repository=repository, tag=tag, changes=lines)


def remove_images(engine: docker.DockerClient) -> None:
    """With those that were made of them."""
    for name in PROGRAMS:
        for image in engine.images.list(filters={"label": f"agentainer.commands-of={name}"}):
            engine.images.remove(str(image.id), force=True)
        engine.images.remove(name, force=True)
    engine.images.prune(filters={"dangling": True, "label": OURS})  # others that had one of the names


def _fill(tar: tarfile.TarFile, names: Iterable[str]) -> None:
    for folder in ("bin", "dev", "etc", "proc", "srv", DIRECTORY.lstrip("/"), "sys"):
        add_folder(tar, folder)
    add_folder(tar, "tmp", mode=0o1777)
    programs = {name: Path(shutil.which(name) or "/bin/sh").resolve() for name in names}
    for name, path in programs.items():
        add_file(tar, path, f"bin/{name}", mode=0o755)
    for name, path in shared_libraries(programs.values()).items():
        add_file(tar, path, name.lstrip("/"), mode=0o755)
