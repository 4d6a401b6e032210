"""Requirements: packages in the built-in agent's image, where a runtime says so."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import docker
import orjson
import pytest
from docker.errors import ImageNotFound

from pools.facade.contracts import Lease
from pools.runtime import requirement_images
from pools.runtime.base import BUILT_IN_IMAGE, Capability, NotSupported, Runtime, RuntimeFault
from pools.runtime.choose import make_runtime
from pools.runtime.contract import AgentHttp, bearer
from pools.services.broker.calls import Caller, Held
from tests.contract.pools.agents import able, new_spec, ready
from tests.fakes.pools import code, invocation
from tests.fakes.wheels import make_wheel, pip_settings

BACKPORT = "colorsys"  # has the name of a module of the standard library
PASSWORD = "of-an-index"


@pytest.fixture
def engine(runtime: Runtime) -> Iterator[docker.DockerClient]:
    """That of the runtime."""
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: docker.DockerClient) -> Iterator[str]:
    """Of a package that pip finds, and that no image has."""
    name = f"sample{uuid4().hex[:8]}"
    make_wheel(tmp_path, name, "1.0", "VALUE = 7\n", needs=[BACKPORT])
    make_wheel(tmp_path, BACKPORT, "1.0", "")
    address = f"https://somebody:{PASSWORD}@127.0.0.1:9/simple"
    for key, value in {**pip_settings(tmp_path), "PIP_INDEX_URL": address}.items():
        monkeypatch.setenv(key, value)
    yield name
    for image in engine.images.list(filters={"label": f"{requirement_images.OF}={name}==1.0"}):
        with contextlib.suppress(ImageNotFound):
            engine.images.remove(str(image.id), force=True)


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was installed, in order."""
    made: list[Any] = []
    install = requirement_images.install

    def counted(folder: Path, requirements: Any, options: Any, **more: Any) -> None:
        made.append(requirements)
        install(folder, requirements, options, **more)

    monkeypatch.setattr(requirement_images, "install", counted)
    return made


with_requirements = pytest.mark.parametrize("runtime", able(Capability.REQUIREMENTS), indirect=True)


@with_requirements
async def test_an_image_is_built_once_and_its_agents_have_the_packages(
    runtime: Runtime,
    http: AgentHttp,
    engine: docker.DockerClient,
    name: str,
    installs: list[Any],
    tmp_path: Path,
) -> None:
    wanted = (f"{name}==1.0",)
    wheel = tmp_path / f"{name}-1.0-py3-none-any.whl"
    hidden = wheel.rename(wheel.with_suffix(".later"))
    with pytest.raises(RuntimeFault, match=f"No matching distribution found for {name}==1.0"):
        await runtime.ensure_image(BUILT_IN_IMAGE, requirements=wanted)
    hidden.rename(wheel)
    instance = runtime._instance  # type: ignore[attr-defined]
    other = make_runtime(runtime.name, instance=instance, data_dir=tmp_path)  # as of another process
    both = [one.ensure_image(BUILT_IN_IMAGE, requirements=wanted) for one in (runtime, other, runtime)]
    first, second, third = await asyncio.gather(*both)
    assert first == second == third != await runtime.ensure_image(BUILT_IN_IMAGE)
    assert await other.ensure_image(BUILT_IN_IMAGE, requirements=wanted) == first
    await other.close()
    assert installs == [wanted, wanted]  # the one that failed, too

    body = (
        f"import {BACKPORT}, fsspec, subprocess, sys, {name}\n"
        "def main():\n"
        f"    told = subprocess.check_output([sys.executable, '-c', 'import {name} as m; print(m.VALUE)'])\n"
        f"    theirs = hasattr({BACKPORT}, 'rgb_to_hsv')\n"
        f"    return [{name}.VALUE, theirs, hasattr(fsspec, 'open'), told.decode().strip()]\n"
    )
    spec = dataclasses.replace(new_spec(), image=first)
    told = orjson.dumps([engine.images.get(first).attrs, engine.images.get(first).history()]).decode()
    handle = await runtime.create(spec)
    try:
        await ready(http, handle, spec)
        lease = Lease(uuid4().hex, spec.pool_id, spec.agent_id, handle.address, 1, datetime.now(UTC), 9, 0.0)
        answer = await Caller(http).invoke(Held(lease, bearer(spec.token)), invocation({}, runs=code(body)))
        assert [result.output for result in answer.results] == [[7, True, True, "7"]]
        await runtime.prune_images([])  # of no concern to agents that are there
        answer = await Caller(http).invoke(Held(lease, bearer(spec.token)), invocation({}, runs=code(body)))
        assert [result.output for result in answer.results] == [[7, True, True, "7"]]
    finally:
        await runtime.remove(spec.agent_id)

    assert PASSWORD not in told
    assert "PIP_" not in told

    assert await runtime.ensure_image(BUILT_IN_IMAGE, requirements=wanted) == first
    stranger = make_runtime(runtime.name, instance="contract-other", data_dir=tmp_path)  # on the same engine
    await stranger.prune_images([])
    await stranger.close()
    await runtime.prune_images([wanted])
    assert engine.images.get(first)
    await runtime.prune_images([("another",)])
    with pytest.raises(ImageNotFound):
        engine.images.get(first)


@pytest.mark.parametrize("runtime", ["process"], indirect=True)
async def test_processes_have_none(runtime: Runtime) -> None:
    with pytest.raises(NotSupported, match="a runtime with containers"):
        await runtime.ensure_image(BUILT_IN_IMAGE, requirements=("requests",))
