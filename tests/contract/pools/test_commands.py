"""Commands: in the built-in image on every runtime, in any other where a runtime says so."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from typing import Any

import docker
import orjson
import pytest

from pools.runtime.base import AgentHandle, AgentSpec, Capability, ImageMissing, Limits, Runtime
from pools.runtime.contract import AgentHttp, bearer
from tests.contract.pools.agents import able, new_spec, ready
from tests.fakes.images import BARE, DIRECTORY, SHELL, make_image, make_images, remove_images

MIB = 1024**2
HERE = "here"


@pytest.fixture(scope="module")
def engines() -> Iterator[set[str]]:
    """Those that have the images. A swarm's are thrown away; the one here is tidied."""
    own, made = os.environ.get("DOCKER_HOST", HERE), set[str]()
    yield made
    if own in made:
        engine = docker.from_env()
        remove_images(engine)
        engine.close()


@pytest.fixture
def images(runtime: Runtime, engines: set[str]) -> None:
    """On the engine that agents of `docker` run on, or that manages the swarm."""
    host = os.environ.get("DOCKER_HOST", HERE)
    if host not in engines:
        engine = docker.from_env()
        make_images(engine)
        engine.close()
        engines.add(host)


in_any_image = pytest.mark.parametrize("runtime", able(Capability.ANY_IMAGE), indirect=True)


class Agent:
    def __init__(self, http: AgentHttp, handle: AgentHandle, spec: AgentSpec) -> None:
        self.http, self.handle, self.spec = http, handle, spec

    async def answer(self, *words: str, value: Any = None, **context: Any) -> list[dict[str, Any]]:
        """All lines of the answer; the last one is the result."""
        context = {"lease": "l", "fence": 1, "timeout": 60, **context}
        body = {"input": value, "context": context, "runs": {"command": words}}
        url = f"http://{self.handle.address}/invoke"
        told = bytearray()

        async def hear(chunk: bytes) -> None:
            told.extend(chunk)

        answer = await self.http.send(
            url, orjson.dumps(body), bearer(self.spec.token), limit=100 * MIB, sink=hear
        )
        return [orjson.loads(line) for line in (answer.body or bytes(told)).splitlines()]

    async def output(self, *words: str, value: Any = None, **context: Any) -> Any:
        *_, last = await self.answer(*words, value=value, **context)
        assert "output" in last, last
        return last["output"]

    async def error(self, *words: str, **context: Any) -> dict[str, Any]:
        *_, last = await self.answer(*words, **context)
        error: dict[str, Any] = last["error"]
        return error

    async def shell(self, script: str, **context: Any) -> Any:
        return await self.output("/bin/sh", "-c", script, **context)


async def agent(runtime: Runtime, http: AgentHttp, image: str = "", **limits: Any) -> Agent:
    spec = dataclasses.replace(new_spec(), limits=Limits(**limits))
    if image:
        spec = dataclasses.replace(spec, image=await runtime.ensure_image(image, commands=True))
    handle = await runtime.create(spec)
    await ready(http, handle, spec)
    return Agent(http, handle, spec)


# --- every runtime ------------------------------------------------------------------------------------------


async def test_json_goes_in_and_comes_out(runtime: Runtime, http: AgentHttp) -> None:
    made = await agent(runtime, http)
    assert await made.output("cat", value={"ü": [1, None]}) == {"ü": [1, None]}
    assert await made.output("true") is None


async def test_a_shell_and_the_small_tools_are_in_the_built_in_image(
    runtime: Runtime, http: AgentHttp
) -> None:
    made = await agent(runtime, http)
    script = "tr -d '\"' | tr ' ' '\\n' | sort | uniq -c | awk '{n += $1} END {print n}'"
    assert await made.shell(script, value="to be or not to be") == 6


async def test_the_context_is_in_the_environment(runtime: Runtime, http: AgentHttp) -> None:
    made = await agent(runtime, http)
    told = '"$AGENTAINER_RUN_ID $AGENTAINER_STEP_ID $AGENTAINER_ITEM_INDEX $AGENTAINER_ATTEMPT"'
    context = {"run_id": "r", "step_id": "s", "item_index": 3, "attempt": 2}
    assert await made.shell(f"echo '\"'{told}'\"'", **context) == "r s 3 2"


async def test_what_fails_is_told_by_its_type(runtime: Runtime, http: AgentHttp) -> None:
    made = await agent(runtime, http)
    error = await made.error("/bin/sh", "-c", "exit 3")
    assert error["type"] == "command_failed"
    assert "exit code 3" in error["message"]
    assert (await made.error("no-such-program"))["type"] == "command_not_started"
    assert (await made.error("echo", "hello"))["type"] == "bad_output"


async def test_stderr_is_the_log(runtime: Runtime, http: AgentHttp) -> None:
    made = await agent(runtime, http)
    line, _ = await made.answer("/bin/sh", "-c", "echo hello >&2")
    assert (line["log"]["stream"], line["log"]["text"]) == ("stderr", "hello")


async def test_an_image_that_is_not_here(runtime: Runtime) -> None:
    with pytest.raises(ImageMissing, match="no-such-image"):
        await runtime.ensure_image("no-such-image:1", commands=True)


# --- any image ----------------------------------------------------------------------------------------------


@in_any_image
async def test_an_image_without_shell_and_python_runs_commands(
    runtime: Runtime, images: None, http: AgentHttp
) -> None:
    made = await agent(runtime, http, BARE)
    assert await made.output("cat", value=[1]) == [1]
    assert "no /bin/sh" in (await made.error("/bin/sh", "-c", "ls"))["message"]
    assert "no program sort" in (await made.error("sort"))["message"]


@in_any_image
async def test_it_is_laid_on_an_image_once(runtime: Runtime, images: None) -> None:
    first = await runtime.ensure_image(SHELL, commands=True)
    assert await runtime.ensure_image(SHELL, commands=True) == first
    assert await runtime.ensure_image(SHELL) not in (first, await runtime.ensure_image(BARE, commands=True))


@in_any_image
async def test_an_image_keeps_its_environment_and_its_directory(
    runtime: Runtime, images: None, http: AgentHttp
) -> None:
    made = await agent(runtime, http, SHELL)
    script = 'printf \'["%s", "%s"]\' "$PWD" "$FLAVOUR"'
    assert await made.shell(script) == [DIRECTORY, "plain"]


@in_any_image
async def test_nothing_is_softened_for_a_command(runtime: Runtime, images: None, http: AgentHttp) -> None:
    made = await agent(runtime, http, SHELL)
    script = """
        while read -r name value; do
            case $name in Uid:) uid=${value%%[!0-9]*};; CapEff:) rights=$value;; esac
        done < /proc/self/status
        (: > /written) 2> /dev/null && root=yes || root=no
        : > "$TMPDIR/written" && scratch=yes
        printf '["%s", "%s", "%s", "%s"]' "$uid" "$rights" "$root" "$scratch"
    """
    assert await made.shell(script) == ["10001", "0" * 16, "no", "yes"]


@in_any_image
async def test_a_full_scratch_space_is_empty_for_the_next(
    runtime: Runtime, images: None, http: AgentHttp
) -> None:
    made = await agent(runtime, http, SHELL)
    full = "for place in /tmp $TMPDIR; do yes > $place/full; done; exit 1"
    error = await made.error("/bin/sh", "-c", full)
    assert "No space left" in error["traceback"]
    assert await made.shell("yes | head -c 40000000 > $TMPDIR/a && yes | head -c 9 > /tmp/b && echo 1") == 1


@in_any_image
async def test_one_that_is_killed_in_a_full_scratch_space_leaves_none(
    runtime: Runtime, images: None, http: AgentHttp
) -> None:
    made = await agent(runtime, http, SHELL)
    full = "yes > /tmp/full; sleep 600"
    assert (await made.error("/bin/sh", "-c", full, timeout=3))["type"] == "timeout"
    assert await made.shell("yes | head -c 40000000 > $TMPDIR/a && echo 1") == 1


@in_any_image
@pytest.mark.parametrize(("then", "kind"), [("while :; do :; done", "timeout"), ("exit 3", "command_failed")])
async def test_forks_without_end_end_with_their_command(
    runtime: Runtime, images: None, http: AgentHttp, then: str, kind: str
) -> None:
    """The agent serves on: the limit of processes is its container's, and none of them is left."""
    made = await agent(runtime, http, SHELL, pids=64)
    bomb = f"bomb() {{ bomb | bomb & }}; bomb; {then}"
    # The shell itself may be the one that cannot fork any more.
    assert (await made.error("/bin/sh", "-c", bomb, timeout=4))["type"] in (kind, "command_failed")
    assert await made.shell("for i in 1 2 3 4 5 6 7 8; do sleep 0.1 & done; wait; echo 1") == 1


@in_any_image
async def test_a_command_that_takes_all_memory_ends_alone(
    runtime: Runtime, images: None, http: AgentHttp
) -> None:
    made = await agent(runtime, http, SHELL, memory=96 * MIB)
    error = await made.error("/bin/sh", "-c", "yes | tail -c 500000000 > /dev/null; exit $?")
    assert error["type"] in ("command_failed", "worker_died")
    health = await http.health(made.handle.address, bearer(made.spec.token), within=10)
    assert health.ok
    assert await made.output("cat", value=1) == 1


@in_any_image
async def test_an_output_of_a_hundred_megabytes_is_refused(
    runtime: Runtime, images: None, http: AgentHttp
) -> None:
    made = await agent(runtime, http, SHELL)
    error = await made.error("/bin/sh", "-c", "yes | head -c 100000000")
    assert error["type"] == "bad_output"
    assert "more than 60 MiB" in error["message"]
    assert await made.output("cat", value=1) == 1


@pytest.mark.parametrize("runtime", [pytest.param("docker", marks=pytest.mark.docker)], indirect=True)
async def test_an_image_of_that_name_that_changed_gets_an_agent_of_its_own(
    runtime: Runtime, images: None, http: AgentHttp
) -> None:
    """The former one is removed: nothing runs on it."""
    engine = docker.from_env()
    former = await runtime.ensure_image(SHELL, commands=True)
    try:
        make_image(engine, SHELL, ["cat"], "ENV FLAVOUR=another")
        newer = await runtime.ensure_image(SHELL, commands=True)
        assert newer != former
        assert [image.tags for image in engine.images.list(former.partition(":")[0])].count([former]) == 0
        made = await agent(runtime, http, SHELL)
        assert "no /bin/sh" in (await made.error("/bin/sh", "-c", "ls"))["message"]
        assert not engine.images.list(filters={"dangling": True, "label": "agentainer.gathered"})
    finally:
        make_images(engine)
        engine.close()
