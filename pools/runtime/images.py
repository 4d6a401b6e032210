"""The image of the built-in Python agent: made once, on this machine, and kept by its content's hash.

Its base is the first of these that can be had:
1. an official slim Python image, when it is here already or a registry answers within a short time;
2. Debian packages, when mmdebstrap is installed;
3. this machine's own Python: interpreter, standard library, shared libraries, /bin/sh and small tools.
The standard library's sources are always inside; tests, caches and installed packages are not.

Does not: fetch or build images of users.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Set
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import IO

import docker
from docker.errors import APIError, BuildError, DockerException, ImageNotFound

from pools.runtime.base import BUILT_IN_IMAGE, RuntimeFault

log = logging.getLogger(__name__)

RECIPE = "2"  # raise it when the way the image is made changes
BASE_IMAGE = "agentainer/python-base"
PULL_SECONDS = 20
SILENT_SECONDS = 600  # that an engine may build without a word
MOST_IN_MEMORY = 32 * 1024**2  # bytes of what is sent to the engine
PACKAGE = Path(__file__).resolve().parent.parent.parent / "agentainer_flow"
# What agents read sources with, as it is installed here: nothing in it is made for one version of Python.
READERS = ("fsspec", "obstore")
READERS_NEED = ("typing_extensions.py",)
_building = threading.Lock()  # agents are created side by side; the first builds, the others wait
LEFT_OUT = {"__pycache__", "test", "tests", "site-packages", "dist-packages"}
USER = "10001:10001"
# What commands are written with, and other bases have; those that this machine has not are left out.
TOOLS = (
    "awk", "basename", "cat", "comm", "cp", "cut", "date", "dirname", "echo", "env", "expr", "false", "find",
    "grep", "gzip", "head", "id", "join", "ls", "md5sum", "mkdir", "mktemp", "mv", "od", "paste", "printf",
    "pwd", "rm", "sed", "seq", "sha256sum", "sleep", "sort", "split", "tail", "tee", "test", "touch", "tr",
    "true", "uname", "uniq", "wc", "xargs", "yes",
)  # fmt: skip
# What wheels of packages may take for granted (PEP 600), beside what the interpreter itself loads.
WHEELS_NEED = (
    "libdl.so.2", "libexpat.so.1", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0", "libresolv.so.2",
    "librt.so.1", "libstdc++.so.6", "libutil.so.1", "libz.so.1",
)  # fmt: skip
LOADED = """
import contextlib, ctypes, sys
for name in sys.argv[1:]:
    with contextlib.suppress(OSError):
        ctypes.CDLL(name)
for line in open("/proc/self/maps"):
    path = line.rstrip().partition("/")[2]
    for name in sys.argv[1:]:
        if path.rpartition("/")[2].startswith(name):
            print(name, "/" + path, sep="\\t")
"""
# The import at build time leaves the byte code of just those modules that every start needs.
DOCKERFILE = """FROM {base}
COPY libraries /opt/libraries
COPY agentainer_flow /opt/agentainer/agentainer_flow
ENV PYTHONPATH=/opt/agentainer:/opt/libraries PYTHONUNBUFFERED=1 LANG=C.UTF-8 HOME=/tmp
RUN ["{python}", "-c", "import agentainer_flow.agent, agentainer_flow.agent.__main__"]
USER {user}
WORKDIR /tmp
EXPOSE 8000
ENTRYPOINT ["{python}", "-m", "agentainer_flow.agent"]
"""


def _version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _package_files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _reader_files() -> dict[str, Path]:
    """Name in the image -> file here."""
    found: dict[str, Path] = {}
    for name in READERS:
        folder = Path(str(import_module(name).__file__)).parent
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if path.is_file() and path.suffix in (".py", ".so") and not LEFT_OUT.intersection(inside.parts):
                found[f"{name}/{inside}"] = path
    for name in READERS_NEED:
        found[name] = Path(str(import_module(name.removesuffix(".py")).__file__))
    return found


@cache
def _readers() -> str:
    """Their versions: within one, files do not change."""
    return " ".join(f"{name}=={version(name)}" for name in READERS)


def built_in_tag() -> str:
    """The image's full name; it changes with the agent's code, the recipe and the version of Python."""
    made_of = f"{RECIPE} {TOOLS} {_version()} {platform.machine()} {_readers()}"
    digest = hashlib.sha256(made_of.encode())
    for path in _package_files():
        digest.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{BUILT_IN_IMAGE}:{digest.hexdigest()[:16]}"


def ensure_built_in(client: docker.DockerClient) -> str:
    """The name of the built image; builds it when it is not here. Raises `RuntimeFault`."""
    with _building:
        return _ensure(client)


def _ensure(client: docker.DockerClient) -> str:
    tag = built_in_tag()
    if present(client, tag):
        return tag
    started = time.monotonic()
    base, python = _base(client)
    log.info("building the agents' image %s on %s", tag, base)
    files = {f"agentainer_flow/{path.relative_to(PACKAGE)}": path.read_bytes() for path in _package_files()}
    recipe = DOCKERFILE.format(base=base, python=python, user=USER)
    files |= {f"libraries/{name}": path.read_bytes() for name, path in _reader_files().items()}
    build(client, recipe, tag, files, what="The agents' image")
    log.info("the agents' image was built in %.1f s", time.monotonic() - started)
    return tag


def build(
    client: docker.DockerClient,
    recipe: str,
    tag: str,
    files: Mapping[str, bytes | Path],
    *,
    what: str,
    labels: Mapping[str, str] | None = None,
) -> None:
    """`recipe` is a Dockerfile beside `files`: contents, or where they are here. Raises `RuntimeFault`, which
    calls the image `what`."""
    try:
        with tempfile.SpooledTemporaryFile(MOST_IN_MEMORY) as context:
            try:
                _write_context(context, {"Dockerfile": recipe.encode(), **files})
            except OSError as exc:  # of this machine's disk, not of the engine
                raise RuntimeFault(f"{what} could not be built: {exc}.") from exc
            client.images.build(
                fileobj=context,
                custom_context=True,
                tag=tag,
                rm=True,
                forcerm=True,
                timeout=SILENT_SECONDS,
                labels=dict(labels or {}),
            )
    except BuildError as exc:
        words = [str(step["stream"]).strip() for step in exc.build_log if "stream" in step]
        last = next((text for text in reversed(words) if text), str(exc))
        raise RuntimeFault(f"{what} could not be built: {last[-200:]}") from exc
    except APIError as exc:
        raise RuntimeFault(f"{what} could not be built: {exc}.") from exc


def _write_context(file: IO[bytes], files: Mapping[str, bytes | Path]) -> None:
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, content in files.items():
            if isinstance(content, Path):
                add_file(tar, content, name, mode=0o755 if os.access(content, os.X_OK) else 0o644)
            else:
                add_bytes(tar, name, content)
    file.seek(0)


def entrypoint_of(client: docker.DockerClient, image: str) -> list[str]:
    return list(client.images.get(image).attrs["Config"]["Entrypoint"])


def present(client: docker.DockerClient, name: str) -> bool:
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True


def _base(client: docker.DockerClient) -> tuple[str, str]:
    """The base image's name and the interpreter's path in it."""
    official = f"python:{_version()}-slim"
    if present(client, official) or _pulled(client, official):
        return official, "/usr/local/bin/python3"
    own = f"{BASE_IMAGE}:{_base_hash()}"
    python = "/usr/local/bin/python3"
    if present(client, own):
        return own, python
    if shutil.which("mmdebstrap") and (codename := _debian_codename()):
        debian = f"{BASE_IMAGE}:debian-{codename}"
        if present(client, debian) or _from_packages(client, debian, codename):
            return debian, "/usr/bin/python3"
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            write_own_python(tar)
        file.seek(0)
        _import(client, file, own)
    return own, python


def _base_hash() -> str:
    return hashlib.sha256(f"{RECIPE} {TOOLS} {sys.version} {platform.machine()}".encode()).hexdigest()[:16]


def _pulled(client: docker.DockerClient, image: str) -> bool:
    """Tries a registry, without making anybody wait for one that is not there."""
    deadline = time.monotonic() + PULL_SECONDS
    repository, _, tag = image.partition(":")
    patient = docker.from_env(timeout=PULL_SECONDS)
    try:
        for step in patient.api.pull(repository, tag=tag, stream=True, decode=True):
            # Once layers arrive it is a matter of the line's speed: it may take its time then.
            if "error" in step or ("progress" not in step and time.monotonic() > deadline):
                return False
        return present(client, image)
    except (DockerException, OSError):
        return False
    finally:
        patient.close()


def _debian_codename() -> str | None:
    release = platform.freedesktop_os_release()
    return release.get("VERSION_CODENAME") if release.get("ID") == "debian" else None


def _from_packages(client: docker.DockerClient, name: str, codename: str) -> bool:
    with tempfile.TemporaryFile() as file:
        command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=python3", codename, "-"]
        try:
            subprocess.run(command, stdout=file, stderr=subprocess.DEVNULL, check=True, timeout=300)
        except (subprocess.SubprocessError, OSError) as exc:
            log.warning("mmdebstrap failed (%s); this machine's own Python is used instead", exc)
            return False
        file.seek(0)
        _import(client, file, name)
    return True


def _import(client: docker.DockerClient, file: object, name: str) -> None:
    repository, _, tag = name.partition(":")
    try:
        client.api.import_image_from_data(file, repository=repository, tag=tag)
    except APIError as exc:
        raise RuntimeFault(f"The agents' base image could not be imported: {exc}.") from exc


def write_own_python(tar: tarfile.TarFile) -> None:
    """This machine's interpreter as a root file system, moved to /usr/local."""
    interpreter = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib")).resolve()
    for folder in (
        "usr",
        "usr/local",
        "usr/local/bin",
        "bin",
        "etc",
        "opt",
        "var",
        "run",
        "proc",
        "sys",
        "dev",
    ):
        add_folder(tar, folder)
    add_folder(tar, "tmp", mode=0o1777)
    add_bytes(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nagent:x:10001:10001:agent:/tmp:/bin/sh\n")
    add_bytes(tar, "etc/group", b"root:x:0:\nagent:x:10001:\n")
    add_bytes(tar, "etc/nsswitch.conf", b"hosts: files dns\n")
    add_file(tar, interpreter, "usr/local/bin/python3", mode=0o755)
    programs = [interpreter]
    for name, path in _tools():
        add_file(tar, path, f"bin/{name}", mode=0o755)
        programs.append(path)
    for path in _library_files(library):
        add_file(tar, path, f"usr/local/lib/{library.name}/{path.relative_to(library)}")
        if path.suffix == ".so":
            programs.append(path)
    libraries = shared_libraries(programs)
    libraries |= wheels_need({Path(name).name for name in libraries})
    for name, path in sorted(libraries.items()):
        add_file(tar, path, name.lstrip("/"), mode=0o755)
    certificates = Path("/etc/ssl/certs/ca-certificates.crt")
    if certificates.exists():
        add_file(tar, certificates.resolve(), "etc/ssl/certs/ca-certificates.crt")


def _tools() -> Iterator[tuple[str, Path]]:
    yield "sh", Path("/bin/sh").resolve()
    for name in TOOLS:
        found = shutil.which(name, path="/usr/bin:/bin")
        if found is not None:
            yield name, Path(found).resolve()


def _library_files(library: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(library):
        here = Path(folder)
        # config-* holds a static library of many megabytes for those who embed Python.
        folders[:] = sorted(
            name for name in folders if name not in LEFT_OUT and not name.startswith("config-")
        )
        for name in sorted(files):
            path = here / name
            if path.suffix not in (".pyc", ".a", ".whl") and path.is_file():
                yield path


def shared_libraries(programs: Iterable[Path]) -> dict[str, Path]:
    """Where the loader of the image will look -> the file here, for all that `ldd` names."""
    prefix = Path(sys.base_prefix).resolve()
    found: dict[str, Path] = {}
    listing = subprocess.run(
        ["ldd", *map(str, programs)], capture_output=True, text=True, timeout=60, check=False
    ).stdout
    for match in re.finditer(r"(?:=>\s+)?(/\S+)\s+\(0x", listing):
        path = Path(match[1])
        real = path.resolve()
        if real.is_relative_to(prefix) and prefix != Path("/usr"):
            found[f"/usr/lib/{path.name}"] = real  # where every loader looks
        else:
            found[match[1]] = real
    return found


def wheels_need(known: Set[str]) -> dict[str, Path]:
    """As `shared_libraries`; those that this machine has not are left out."""
    listing = subprocess.run(
        [sys.executable, "-c", LOADED, *WHEELS_NEED], capture_output=True, text=True, timeout=60, check=False
    ).stdout
    found = dict(line.split("\t") for line in listing.splitlines())
    return {f"/usr/lib/{name}": Path(path) for name, path in found.items() if name not in known}


def add_folder(tar: tarfile.TarFile, name: str, mode: int = 0o755) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    tar.addfile(info)


def add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o644
    tar.addfile(info, io.BytesIO(content))


def add_file(tar: tarfile.TarFile, path: Path, name: str, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(name)
    stat = path.stat()
    info.size, info.mtime, info.mode = stat.st_size, int(stat.st_mtime), mode
    with path.open("rb") as file:
        tar.addfile(info, file)
