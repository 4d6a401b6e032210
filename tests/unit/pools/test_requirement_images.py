"""What pip is told, what it says, and what the image is called; `tests/contract/pools` builds one."""

from __future__ import annotations

import os
import platform
import socket
import sys
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pools.runtime.base import RuntimeFault
from pools.runtime.images import wheels_need
from pools.runtime.requirement_images import (
    DOCKERFILE,
    MOST_WORDS,
    REQUIREMENT_IMAGE,
    Target,
    install,
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
    tag = requirement_tag("agent:1", ["a==1", "b"])
    assert tag.startswith(f"{REQUIREMENT_IMAGE}:")
    assert tag == requirement_tag("agent:1", ["a==1", "b"])
    others = {
        requirement_tag("agent:2", ["a==1", "b"]),
        requirement_tag("agent:1", ["a==2", "b"]),
        requirement_tag("agent:1", ["a==1"]),
    }
    assert len(others | {tag}) == 4


def test_nothing_runs_while_it_is_built_and_its_agent_is_the_built_in_one() -> None:
    words = [line.split(maxsplit=1)[0] for line in DOCKERFILE.splitlines()]
    assert words == ["FROM", "COPY", "ENV"]
    (paths,) = [line for line in DOCKERFILE.splitlines() if line.startswith("ENV")]
    assert paths.partition("=")[2].split(":") == ["/opt/agentainer", "/opt/requirements", "/opt/libraries"]


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


def test_code_of_packages_is_not_run(tmp_path: Path, folder: Path) -> None:
    """Of sources it would be, on this machine and with what pip knows."""
    source, witness = tmp_path / "sample-1.0", tmp_path / "witness"
    source.mkdir()
    (source / "setup.py").write_text(f"open({str(witness)!r}, 'w')\n")
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n")
    with tarfile.open(tmp_path / "sample-1.0.tar.gz", "w:gz") as archive:
        archive.add(source, "sample-1.0")
    with pytest.raises(RuntimeFault, match="taken as wheels"):
        install(folder, ["sample"], stop=NEVER, environment=settings(tmp_path))
    assert not witness.exists()


def test_what_cannot_be_installed_is_told_in_pip_s_words(tmp_path: Path, folder: Path) -> None:
    make_wheel(tmp_path, "sample", "1.0", "")
    with pytest.raises(RuntimeFault, match=r"sample==2\.0 could not be installed: .*from versions: 1\.0"):
        install(folder, ["sample==2.0"], stop=NEVER, environment=settings(tmp_path))


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
    assert words_of("\n") == "pip said nothing"
    assert len(words_of("ERROR: " + "x" * 2000)) == MOST_WORDS
