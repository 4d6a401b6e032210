"""The built-in agent's image with Python packages in it: made once for each list of requirements, and kept by
the hash of its content.

This machine's pip gets the packages, as it got the platform's own: with its indexes, proxies and credentials,
none of which come near an image. It takes wheels alone, made for the image's Python and C library, of which
nothing runs while they are installed: `pip_runner` holds it to that. See
docs/adr/0036-requirements-become-an-image.md.

Does not: read what people wrote (`aflow_site.kernel.requirements`), or change images of users.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker
import requests
from docker.errors import APIError
from docker.models.images import Image

from pools.runtime.base import NotInstalled, RuntimeFault
from pools.runtime.images import build, built_in_tag, ensure_built_in, entrypoint_of, present
from pools.runtime.installs import STOPPED

log = logging.getLogger(__name__)

RECIPE = "2"  # raise it when the way the images are made changes
REQUIREMENT_IMAGE = "agentainer/python-agent-with"
OF = "agentainer.requirements"  # label: the requirements, in one line
FOR = "agentainer.requirements-for"  # label: the installation (containers have those of their image, too)
MOST_BYTES = 2 * 1024**3  # of what is installed
WITHIN = 900.0  # seconds that pip may take
LOOK_EVERY = 0.25  # seconds between two looks whether to stop
OLDEST_LIBC = 5  # of glibc 2, for which wheels were ever made
MOST_WORDS = 400  # characters of pip's that people are shown
RUNNER = Path(__file__).with_name("pip_runner.py")
# What pip may know of the platform's environment: where its programs and settings are, and how it gets out.
KNOWN_TO_PIP = re.compile(
    r"PATH|HOME|TMPDIR|XDG_CONFIG_HOME|NETRC|LANG|LC_[A-Z]+|PIP_[A-Z0-9_]+|SSL_CERT_(FILE|DIR)"
    r"|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|(https?|all|no)_proxy|(HTTPS?|ALL|NO)_PROXY"
)
# Packages come behind the agent's own code and the standard library, as installed ones do: many a package
# still needs a backport that has the name of one of its modules. They come before the libraries that read
# sources: bodies get the versions they ask for.
DOCKERFILE = """FROM {built_in}
COPY packages /opt/requirements
COPY agentainer.pth {site_packages}/
ENV PYTHONPATH=/opt/agentainer
"""
PATHS = b"/opt/requirements\n/opt/libraries\n"
FACTS = """
import json, platform, site, sys
print(json.dumps([
    site.getsitepackages()[0],
    "%d.%d" % sys.version_info[:2], sys.platform, platform.machine(), *platform.libc_ver(),
]))
"""


@dataclass(frozen=True, slots=True)
class Target:
    """What the image's Python is: its version ("3.11"), system, machine, C library and that one's version."""

    python: str
    system: str
    machine: str
    libc: str
    libc_version: str

    def options(self) -> list[str]:
        """Of pip, which else installs for its own Python. Raises `RuntimeFault`.

        What a package needs under conditions (`; python_version < "3.12"`) pip decides by its own Python: the
        two must be of one kind.
        """
        here = Target(
            f"{sys.version_info.major}.{sys.version_info.minor}",
            sys.platform,
            platform.machine(),
            *platform.libc_ver(),
        )
        same = (here.python, here.system, here.machine) == (self.python, self.system, self.machine)
        if not same or self.libc != "glibc":
            raise RuntimeFault(
                f"Packages are installed by this machine's Python, which is {here}; the agents' image has "
                f"{self}: only for its own kind, with glibc, can it do that. Let the platform run on Python "
                f"{self.python}, or use an image of your own with these packages."
            )
        newest = int(self.libc_version.split(".")[1])
        names = [f"manylinux_2_{minor}" for minor in range(newest, OLDEST_LIBC - 1, -1)]
        names += ["manylinux2014", "manylinux2010", "manylinux1", "linux"]
        platforms = [word for name in names for word in ("--platform", f"{name}_{self.machine}")]
        return ["--python-version", self.python, "--implementation", "cp", *platforms]

    def __str__(self) -> str:
        libc = self.libc or "another C library"
        return (
            f"Python {self.python} for {self.system}, {self.machine} and {libc} {self.libc_version}".strip()
        )


def requirement_tag(built_in: str, requirements: Sequence[str], instance: str) -> str:
    """The image's full name: it changes with the agent's own image, the requirements, the recipe and the
    installation, which removes it, too."""
    content = "\n".join([RECIPE, DOCKERFILE, instance, built_in, *requirements])
    return f"{REQUIREMENT_IMAGE}:{hashlib.sha256(content.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class WithRequirements:
    """The image of one installation with these requirements (canonical)."""

    instance: str
    requirements: tuple[str, ...]

    def find(self, client: docker.DockerClient) -> str | None:
        """Its name, when it is here. Raises `RuntimeFault`."""
        tag = self._tag(ensure_built_in(client))
        return tag if present(client, tag) else None

    def ensure(self, client: docker.DockerClient, stop: threading.Event) -> str:
        """Its name; it is built when it is not here, by one of all who want it on this machine.

        Raises `NotInstalled` with pip's last words, and `RuntimeFault`, also once `stop` is set.
        """
        built_in = ensure_built_in(client)
        tag = self._tag(built_in)
        with _faults_of_this_machine(), _alone(tag, stop):
            if not present(client, tag):
                self._build(client, built_in, tag, stop)
        return tag

    def _tag(self, built_in: str) -> str:
        return requirement_tag(built_in, self.requirements, self.instance)

    def _build(self, client: docker.DockerClient, built_in: str, tag: str, stop: threading.Event) -> None:
        started = time.monotonic()
        listed = ", ".join(self.requirements)
        site_packages, target = _facts(client, built_in)
        options = target.options()
        labels = {OF: " ".join(self.requirements), FOR: self.instance}
        with tempfile.TemporaryDirectory(prefix="agentainer-") as folder:
            packages = Path(folder) / "packages"
            packages.mkdir()
            install(packages, self.requirements, options, stop=stop)
            files: dict[str, bytes | Path] = {"agentainer.pth": PATHS, **installed(packages, listed)}
            recipe = DOCKERFILE.format(built_in=built_in, site_packages=site_packages)
            build(client, recipe, tag, files, what=f"The image with {listed}", labels=labels)
        self._remove_former(client, tag, labels)
        log.info(
            "the agents' image with %s, %s, was built in %.1f s", listed, tag, time.monotonic() - started
        )

    def _remove_former(self, client: docker.DockerClient, tag: str, labels: Mapping[str, str]) -> None:
        """Those on a former agent's image."""
        for former in _labelled(client, *(f"{name}={value}" for name, value in labels.items())):
            if tag not in former.tags:
                _remove_unused(client, former)


def prune(client: docker.DockerClient, instance: str, kept: Collection[tuple[str, ...]]) -> None:
    """Removes the installation's images with other requirements, and those on former agents' images."""
    built_in = built_in_tag()
    tags = {requirement_tag(built_in, requirements, instance) for requirements in kept}
    for image in _labelled(client, OF, f"{FOR}={instance}"):
        if tags.isdisjoint(image.tags) and _remove_unused(client, image):
            log.info("the agents' image with %s went: no pool has these requirements", image.labels.get(OF))


def _labelled(client: docker.DockerClient, *labels: str) -> list[Image]:
    return list(client.images.list(filters={"label": list(labels)}))


def _remove_unused(client: docker.DockerClient, image: Image) -> bool:
    """One that agents still use stays: the engine refuses."""
    try:
        client.images.remove(str(image.id))
    except APIError:
        return False
    return True


@contextlib.contextmanager
def _faults_of_this_machine() -> Iterator[None]:
    """A full disk, memory or a file of somebody else's is no engine that is away, for which all pools would
    wait."""
    try:
        yield
    except (requests.RequestException, ConnectionError):  # errors of the system's too, but the engine's
        raise
    except OSError as exc:
        raise RuntimeFault(f"Requirements could not be installed on the platform's machine: {exc}.") from exc


def installed(packages: Path, listed: str) -> dict[str, Path]:
    """Name beside the recipe -> file. Raises `NotInstalled` for nothing, and for too much."""
    found = [path for path in sorted(packages.rglob("*")) if path.is_file() and not path.is_symlink()]
    if not found:  # each under a condition that does not hold
        raise NotInstalled(f"The requirements {listed} name nothing for Python on Linux; leave them out.")
    size = sum(path.stat().st_size for path in found)
    if size > MOST_BYTES:
        raise NotInstalled(
            f"The requirements {listed} take {size / 1024**3:.1f} GiB with what they need, and up to "
            f"{MOST_BYTES / 1024**3:g} GiB will do; put them into an image of your own."
        )
    return {f"packages/{path.relative_to(packages)}": path for path in found}


def _facts(client: docker.DockerClient, image: str) -> tuple[str, Target]:
    """Where its Python has installed packages, and what it is."""
    answer = client.containers.run(
        image,
        ["-c", FACTS],
        entrypoint=entrypoint_of(client, image)[:1],
        network_mode="none",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        read_only=True,
        remove=True,
    )
    site_packages, *target = json.loads(answer)
    return site_packages, Target(*target)


def install(
    folder: Path,
    requirements: Sequence[str],
    options: Sequence[str] = (),
    *,
    stop: threading.Event,
    within: float = WITHIN,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Into the folder. `environment`: left out, this process's own; pip gets what concerns it. Raises
    `NotInstalled`, and `RuntimeFault` once `stop` is set."""
    command = [
        *(sys.executable, "-I", str(RUNNER), "install", "--quiet", "--no-input", "--no-color"),
        *("--disable-pip-version-check", "--no-cache-dir", "--only-binary", ":all:"),
        *("--target", str(folder), *options, *requirements),
    ]
    listed = ", ".join(requirements)
    # Where it runs there is no file that a requirement could be taken for.
    child = subprocess.Popen(
        command,
        cwd=folder.parent,
        env=environment_of_pip(os.environ if environment is None else environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    try:
        said = _until_it_ends(child, stop, within)
    except TimeoutError as exc:
        raise NotInstalled(f"The requirements {listed} were not installed within {within:g} s.") from exc
    finally:
        child.kill()
        child.communicate()
    if child.returncode != 0:
        raise NotInstalled(f"The requirements {listed} could not be installed: {words_of(said)}")


def environment_of_pip(environment: Mapping[str, str]) -> dict[str, str]:
    """Of the platform's, none of its secrets: what pip is told by is in it, and nothing else."""
    return {name: value for name, value in environment.items() if KNOWN_TO_PIP.fullmatch(name)}


def _until_it_ends(child: subprocess.Popen[str], stop: threading.Event, within: float) -> str:
    """What it wrote to stderr. Raises `TimeoutError`, and `RuntimeFault` when it is to stop."""
    deadline = time.monotonic() + within
    while True:
        try:
            return child.communicate(timeout=min(within, LOOK_EVERY))[1]
        except subprocess.TimeoutExpired as exc:
            if time.monotonic() >= deadline:
                raise TimeoutError from exc
            _go_on(stop)


def _go_on(stop: threading.Event) -> None:
    if stop.is_set():
        raise RuntimeFault(STOPPED)


def words_of(stderr: str) -> str:
    """The end of what pip said, errors rather than warnings, and never a password."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    if errors == ["Exception:"]:  # pip's own; a traceback follows
        errors = lines[-1:]
    words = " ".join(errors or lines) or "pip said nothing"
    if "No matching distribution found" in words:
        words += " (Packages are taken as wheels that fit the agents' Python.)"
    return re.sub(r"//[^/@\s]+@", "//", words)[-MOST_WORDS:]


@contextlib.contextmanager
def _alone(tag: str, stop: threading.Event) -> Iterator[None]:
    """One thread of one process on this machine at a time. Whoever dies lets the others on."""
    path = Path(tempfile.gettempdir()) / f"agentainer-{os.getuid()}-{tag.rpartition(':')[2]}.lock"
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            if not _is_locked(file) or not _is_still(path, file):
                # Somebody has it, or was done with it and took it away.
                stop.wait(LOOK_EVERY)
                _go_on(stop)
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return
        finally:
            os.close(file)


def _is_locked(file: int) -> bool:
    """By this call."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False
