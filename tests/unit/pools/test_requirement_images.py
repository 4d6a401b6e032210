"""What pip is told, what it says, and what the image is called; `tests/contract/pools` builds one."""

from __future__ import annotations

import errno
import os
import platform
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from docker.errors import ImageNotFound
from pip._internal.distributions.sdist import SourceDistribution
from pip._internal.operations import prepare
from pip._internal.req import constructors
from pip._internal.req.req_install import InstallRequirement

from pools.runtime import pip_runner, requirement_images
from pools.runtime.base import BUILT_IN_IMAGE, EngineAway, NotInstalled, RuntimeFault
from pools.runtime.docker import DockerRuntime
from pools.runtime.images import wheels_need
from pools.runtime.requirement_images import (
    DOCKERFILE,
    MOST_BYTES,
    MOST_WORDS,
    PATHS,
    REQUIREMENT_IMAGE,
    RUNNER,
    Target,
    WithRequirements,
    environment_of_pip,
    install,
    installed,
    requirement_tag,
    words_of,
)
from tests.fakes.wheels import make_wheel, pip_settings

NEVER = threading.Event()
HERE = Target(
    f"{sys.version_info.major}.{sys.version_info.minor}", sys.platform, platform.machine(), "glibc", "2.36"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "target"
    target.mkdir()
    return target


def settings(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, **pip_settings(tmp_path)}


# --- the image ---------------------------------------------------------------------------------------------


def test_its_name_changes_with_what_is_in_it() -> None:
    tag = requirement_tag("agent:1", ["a==1", "b"], "main")
    assert tag.startswith(f"{REQUIREMENT_IMAGE}:")
    assert tag == requirement_tag("agent:1", ["a==1", "b"], "main")
    others = {
        requirement_tag("agent:2", ["a==1", "b"], "main"),
        requirement_tag("agent:1", ["a==2", "b"], "main"),
        requirement_tag("agent:1", ["a==1"], "main"),
        requirement_tag("agent:1", ["a==1", "b"], "other"),
    }
    assert len(others | {tag}) == 5


def test_nothing_runs_while_it_is_built_and_its_agent_is_the_built_in_one() -> None:
    words = [line.split(maxsplit=1)[0] for line in DOCKERFILE.splitlines()]
    assert words == ["FROM", "COPY", "COPY", "ENV"]
    assert DOCKERFILE.splitlines()[-1] == "ENV PYTHONPATH=/opt/agentainer"
    assert PATHS.split() == [b"/opt/requirements", b"/opt/libraries"]


def test_the_base_out_of_this_machine_has_what_wheels_take_for_granted() -> None:
    found = wheels_need(frozenset())
    assert found["/usr/lib/libm.so.6"].is_file()
    assert wheels_need({"libm.so.6"}).keys() == found.keys() - {"/usr/lib/libm.so.6"}


# --- what pip is told --------------------------------------------------------------------------------------


def test_wheels_are_those_for_the_image_s_c_library() -> None:
    options = HERE.options()
    platforms = [word for word in options if word.startswith(("manylinux", "linux"))]
    assert platforms[0] == f"manylinux_2_36_{HERE.machine}"
    assert f"manylinux_2_37_{HERE.machine}" not in platforms
    assert f"manylinux2014_{HERE.machine}" in platforms
    assert options[:2] == ["--python-version", HERE.python]


@pytest.mark.parametrize(
    "other",
    [
        replace(HERE, python="3.9"),
        replace(HERE, system="plan9"),
        replace(HERE, machine="vax"),
        replace(HERE, libc="", libc_version=""),
    ],
)
def test_another_kind_of_python_is_refused(other: Target) -> None:
    with pytest.raises(RuntimeFault, match=f"agents' image has Python {other.python} for"):
        other.options()


def test_wheels_are_installed(tmp_path: Path, folder: Path) -> None:
    make_wheel(tmp_path, "sample", "1.0", "VALUE = 7\n")
    install(folder, ["sample==1.0"], HERE.options(), stop=NEVER, environment=settings(tmp_path))
    assert (folder / "sample.py").read_text() == "VALUE = 7\n"


def make_source(folder: Path) -> tuple[Path, Path]:
    """One that could be built here, and the file that is there once its code ran."""
    source, witness = folder / "evil-1.0", folder / "witness"
    source.mkdir()
    ran = f"open({str(witness)!r}, 'w').close()\n"
    (source / "setup.py").write_text(ran)
    (source / "backend.py").write_text(ran)
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    return source, witness


def pack(source: Path) -> Path:
    packed = source.with_name(f"{source.name}.tar.gz")
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(source, source.name)
    return packed


def test_code_of_packages_is_not_run(tmp_path: Path, folder: Path) -> None:
    """Of sources it would be, on this machine and with what pip knows."""
    source, witness = make_source(tmp_path)
    pack(source)
    with pytest.raises(RuntimeFault, match="taken as wheels"):
        install(folder, ["evil"], stop=NEVER, environment=settings(tmp_path))
    assert not witness.exists()


@pytest.mark.parametrize("kind", ["archive", "folder", "repository", "wheel"])
def test_addresses_that_packages_name_are_not_followed(tmp_path: Path, folder: Path, kind: str) -> None:
    """`--only-binary` says nothing of them: pip would build what it finds there."""
    source, witness = make_source(tmp_path)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@a.example", "-C", str(source)]
    if kind == "repository":
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
            subprocess.run([*git, *words], check=True)
    address = {
        "archive": lambda: pack(source).as_uri(),
        "folder": source.as_uri,
        "repository": lambda: f"git+file://localhost{source}",
        "wheel": lambda: make_wheel(tmp_path, "evil", "1.0", "").as_uri(),
    }[kind]()
    make_wheel(tmp_path, "sample", "1.0", "", needs=[f"evil @ {address}"])
    with pytest.raises(NotInstalled, match="evil is named by an address, by sample; packages are taken from"):
        install(folder, ["sample"], HERE.options(), stop=NEVER, environment=settings(tmp_path))
    assert not witness.exists()
    assert not list(folder.iterdir())


def test_sources_are_not_built_whoever_asks_for_it(tmp_path: Path, folder: Path) -> None:
    """Behind the rule on addresses stands one on what is at them."""
    source, witness = make_source(tmp_path)
    with pytest.raises(NotInstalled, match="is there as source alone"):
        install(folder, [str(source)], stop=NEVER, environment=settings(tmp_path))
    assert not witness.exists()


def test_no_other_pip_takes_over(tmp_path: Path, folder: Path) -> None:
    """A setting of pip's own would hand all to one that knows nothing of the rules."""
    make_wheel(tmp_path, "sample", "1.0", "")
    other, witness = tmp_path / "python", tmp_path / "witness"
    other.write_text(f"#!/bin/sh\ntouch {witness}\n")
    other.chmod(0o755)
    environment = {**settings(tmp_path), "PIP_PYTHON": str(other)}
    install(folder, ["sample"], stop=NEVER, environment=environment)
    assert not witness.exists()
    assert (folder / "sample.py").exists()


def test_a_pip_of_another_make_installs_nothing(tmp_path: Path) -> None:
    """Rather than without the rules."""
    where = tmp_path / "pip/_internal/cli"
    where.mkdir(parents=True)
    for package in (where, where.parent, where.parent.parent):
        (package / "__init__.py").touch()
    (where / "main.py").write_text("def main(words): print('installed')\n")
    run = f"runpy.run_path({str(RUNNER)!r}, None, '__main__')"
    told = f"import runpy, sys; sys.path.insert(0, {str(tmp_path)!r}); {run}"
    done = subprocess.run([sys.executable, "-I", "-c", told], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "This machine's pip is not one that can be kept from building packages" in done.stderr


@pytest.mark.parametrize("rule", [pip_runner.keep_from_building, pip_runner.keep_from_addresses])
def test_a_rule_that_pip_passes_by_is_noticed(
    rule: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Other:
        def __init__(self, *_: object, **options: object) -> None: ...

        def prepare_distribution_metadata(self, *_: object) -> None: ...

    monkeypatch.setattr(InstallRequirement, "__init__", InstallRequirement.__init__)  # as it was, afterwards
    monkeypatch.setattr(
        SourceDistribution,
        "prepare_distribution_metadata",
        SourceDistribution.prepare_distribution_metadata,
    )
    monkeypatch.setattr(constructors, "InstallRequirement", Other)
    monkeypatch.setattr(prepare, "make_distribution_for_install_requirement", Other)
    with pytest.raises(pip_runner.Amiss):
        rule()


def test_pip_knows_none_of_the_platform_s_secrets() -> None:
    kept = {
        **dict.fromkeys(["PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PIP_INDEX_URL", "SSL_CERT_FILE"], "x"),
        **dict.fromkeys(["HTTPS_PROXY", "https_proxy", "no_proxy", "REQUESTS_CA_BUNDLE"], "x"),
    }
    names = ["SECRET_KEY", "DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "AFLOW_TOKEN", "PYTHONPATH", "MY_PATH"]
    assert environment_of_pip({**kept, **dict.fromkeys(names, "x")}) == kept


def test_it_is_told_nothing_else(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a whole: a program in pip's place writes down what it sees."""
    seen = tmp_path / "seen"
    runner = tmp_path / "runner.py"
    runner.write_text(f"import os; open({str(seen)!r}, 'w').write(' '.join(os.environ))\n")
    monkeypatch.setattr(requirement_images, "RUNNER", runner)
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index")
    install(folder, ["sample"], stop=NEVER)
    names = seen.read_text().split()
    assert "PIP_INDEX_URL" in names
    assert "DATABASE_URL" not in names


def test_what_cannot_be_installed_is_told_in_pip_s_words(tmp_path: Path, folder: Path) -> None:
    make_wheel(tmp_path, "sample", "1.0", "")
    with pytest.raises(RuntimeFault, match=r"sample==2\.0 could not be installed: .*from versions: 1\.0"):
        install(folder, ["sample==2.0"], stop=NEVER, environment=settings(tmp_path))


def test_nothing_and_too_much_are_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(NotInstalled, match="sample name nothing"):
        installed(folder, "sample")
    (folder / "sample.py").write_text("x" * 100)
    with (folder / "large.so").open("w") as file:
        file.truncate(MOST_BYTES - 100)
    assert list(installed(folder, "sample")) == ["packages/large.so", "packages/sample.py"]
    with (folder / "large.so").open("a") as file:
        file.truncate(MOST_BYTES)
    with pytest.raises(NotInstalled, match=r"sample take 2\.0 GiB with .*, and up to 2 GiB will do"):
        installed(folder, "sample")


class Engine:
    """Has the agents' image and no other."""

    def __init__(self) -> None:
        self.images = self

    def get(self, name: str) -> None:
        if name.startswith(REQUIREMENT_IMAGE):
            raise ImageNotFound(name)

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), RuntimeFault),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), RuntimeFault),
        (requests.ConnectionError("refused"), EngineAway),
        (ConnectionResetError("reset"), EngineAway),
    ],
)
async def test_a_fault_of_this_machine_is_no_engine_that_is_away(
    fault: Exception, told: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All pools wait for that one."""
    runtime = DockerRuntime("main")
    monkeypatch.setattr(runtime, "_client", Engine())

    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(requirement_images, "_facts", fail)
    with pytest.raises(RuntimeFault) as raised:
        await runtime.ensure_image(BUILT_IN_IMAGE, requirements=["sample"])
    assert type(raised.value) is told
    await runtime.close()


async def test_so_is_a_lock_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    engine: Any = Engine()
    with pytest.raises(RuntimeFault, match=r"on the platform's machine: .*No such file"):
        WithRequirements("main", ("sample",)).ensure(engine, NEVER)


def test_it_has_an_end(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(RuntimeFault, match=r"sample were not installed within 0\.001 s"):
        install(folder, ["sample"], stop=NEVER, environment=settings(tmp_path), within=0.001)


def test_it_ends_with_the_platform(tmp_path: Path, folder: Path) -> None:
    """Whatever pip waits for: here for an index that never answers."""
    silent, stop = socket.create_server(("127.0.0.1", 0)), threading.Event()
    index = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
    environment = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index, "PIP_NO_INDEX": ""}
    with silent, ThreadPoolExecutor() as pool:
        installing = pool.submit(install, folder, ["sample"], stop=stop, environment=environment)
        silent.settimeout(60)
        asked, _ = silent.accept()
        with asked:
            assert not installing.done()
            stop.set()
            with pytest.raises(RuntimeFault, match="platform stopped"):
                installing.result()


# --- what pip says -----------------------------------------------------------------------------------------


def test_errors_come_before_warnings_and_passwords_nowhere() -> None:
    said = (
        "WARNING: Retrying https://me:hunter2@index/simple\n\nERROR: first\nERROR: https://me:hunter2@index\n"
    )
    assert words_of(said) == "first https://index"
    assert "hunter2" not in words_of("WARNING: Retrying https://me:hunter2@index/simple")
    assert words_of("ERROR: Exception:\nTraceback:\n  in pip\nInvalid: what\n") == "Invalid: what"
    assert words_of("\n") == "pip said nothing"
    assert len(words_of("ERROR: " + "x" * 2000)) == MOST_WORDS
