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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import APIError

from pools.runtime.base import NotInstalled, RuntimeFault
from pools.runtime.images import build, ensure_built_in, entrypoint_of, present

log = logging.getLogger(__name__)

RECIPE = "1"  # raise it when the way the images are made changes
REQUIREMENT_IMAGE = "agentainer/python-agent-with"
OF = "agentainer.requirements"  # label: the requirements, in one line
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
# Behind the agent's own code, before the libraries that read sources: bodies get the versions they ask for.
DOCKERFILE = """FROM {built_in}
COPY packages /opt/requirements
ENV PYTHONPATH=/opt/agentainer:/opt/requirements:/opt/libraries
"""
FACTS = """
import json, platform, sys
print(json.dumps(["%d.%d" % sys.version_info[:2], sys.platform, platform.machine(), *platform.libc_ver()]))
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


def requirement_tag(built_in: str, requirements: Sequence[str]) -> str:
    """The image's full name: it changes with the agent's own image, the requirements and the recipe."""
    content = "\n".join([RECIPE, DOCKERFILE, built_in, *requirements])
    return f"{REQUIREMENT_IMAGE}:{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def ensure_with_requirements(
    client: docker.DockerClient, requirements: Sequence[str], stop: threading.Event
) -> str:
    """The name of the image; it is built when it is not here, by one of all who want it on this machine.

    `requirements` in their canonical form. Raises `NotInstalled` with pip's last words, and `RuntimeFault`,
    also once `stop` is set.
    """
    built_in = ensure_built_in(client)
    tag = requirement_tag(built_in, requirements)
    if present(client, tag):
        return tag
    with _alone(tag, stop):
        if not present(client, tag):
            _build(client, built_in, tag, requirements, stop)
    return tag


def _build(
    client: docker.DockerClient, built_in: str, tag: str, requirements: Sequence[str], stop: threading.Event
) -> None:
    started = time.monotonic()
    listed = ", ".join(requirements)
    options = _target(client, built_in).options()
    with tempfile.TemporaryDirectory(prefix="agentainer-") as folder:
        packages = Path(folder) / "packages"
        packages.mkdir()
        install(packages, requirements, options, stop=stop)
        files = {f"packages/{path.relative_to(packages)}": path for path in _files(packages)}
        if not files:  # each under a condition that does not hold
            raise NotInstalled(f"The requirements {listed} name nothing for Python on Linux; leave them out.")
        recipe = DOCKERFILE.format(built_in=built_in)
        build(
            client, recipe, tag, files, what=f"The image with {listed}", labels={OF: " ".join(requirements)}
        )
    _remove_former(client, tag, requirements)
    log.info("the agents' image with %s, %s, was built in %.1f s", listed, tag, time.monotonic() - started)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _target(client: docker.DockerClient, image: str) -> Target:
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
    return Target(*json.loads(answer))


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
        raise RuntimeFault("The platform stopped while requirements were installed.")


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


def _remove_former(client: docker.DockerClient, tag: str, requirements: Sequence[str]) -> None:
    """Those on a former agent's image; one that agents still use stays."""
    for former in client.images.list(filters={"label": f"{OF}={' '.join(requirements)}"}):
        if tag not in former.tags:
            with contextlib.suppress(APIError):
                client.images.remove(str(former.id))


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
