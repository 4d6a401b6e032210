"""Each mistake is told in one sentence, as early as it can be known: where it is written, then when it is
compiled, then when it is deployed, then when it runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import httpx
import pytest

from agentainer_flow import (
    Context,
    DefinitionError,
    RunFailed,
    WorkflowClient,
    compile_workflow,
    mapreduce,
    step,
    workflow,
)
from agentainer_flow.cli.loading import workflow_class_of
from agentainer_flow.client.requests import VERSION_HEADER
from agentainer_flow.errors import AuthenticationError, BundleError, ServerTooOld
from agentainer_flow.sdk.bundling import Bundle
from agentainer_flow.testing import run_workflow_locally
from tests.unit.sdk.platform_twin import TOKEN, URL, PlatformTwin

BUNDLE = Bundle("module", b"", "0" * 64)
PROGRAM = """
    {imports}
    from agentainer_flow import Context, step, workflow

    @workflow
    class Sample:
        @step
        def work(self, ctx: Context):
            return 1
"""


@pytest.fixture
def twin() -> PlatformTwin:
    return PlatformTwin()


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def file(name: str, **given: str) -> type:
        (tmp_path / name).write_text(dedent(PROGRAM).format(**given))
        return workflow_class_of(tmp_path / name)

    yield file
    for module in set(sys.modules) - before:
        del sys.modules[module]


def client(twin: PlatformTwin, token: str = TOKEN) -> WorkflowClient:
    return WorkflowClient(URL, token, transport=twin.transport)


# --- where it is written ----------------------------------------------------------------------------------


def test_an_unknown_keyword() -> None:
    with pytest.raises(DefinitionError, match=r"@step has no argument dependson; did you mean depends_on\?"):
        step(dependson=["a"])  # type: ignore[call-overload]


def test_a_lambda() -> None:
    with pytest.raises(DefinitionError, match="not on a lambda"):
        step(lambda self, ctx: 1)
    with pytest.raises(
        DefinitionError, match="mapper must be a method of the class or a function at the top"
    ):
        mapreduce(mapper=lambda item: item, over=[1])


def test_a_body_that_yields() -> None:
    def plain(self: Any, ctx: Any) -> Any:
        yield 1

    async def awaited(self: Any, ctx: Any) -> Any:
        yield 1

    for body in (plain, awaited):
        for mark in (step, step(parallel=True), mapreduce(mapper="image:1")):
            with pytest.raises(DefinitionError, match="has a yield in it, which makes a generator of it"):
                mark(body)
    with pytest.raises(DefinitionError, match="has a yield in it"):
        mapreduce(mapper=yields, over=[1])


def yields(item: int) -> Any:
    yield item


@pytest.mark.parametrize("name", ["run_local", "to_document"])
def test_a_step_called_like_a_method_of_every_workflow(name: str) -> None:
    def body(self: Any, ctx: Any) -> int:
        return 1

    with pytest.raises(DefinitionError, match=f"gives the class a {name} itself; call yours otherwise"):
        workflow(type("Same", (), {name: step(body)}))


@pytest.mark.parametrize("name", ["line\n", "a b", "ä"])
def test_names_that_the_platform_does_not_take(name: str) -> None:
    with pytest.raises(DefinitionError, match="must be lower-case letters"):
        workflow(name=name)(type("Odd", (), {"a": step(plain_body)}))
    odd = workflow(type("Odd", (), {"a": step(name=name)(plain_body)}))
    assert compile_workflow(odd, BUNDLE)["steps"][0]["id"] == "a", "what cannot be an id is a title"


def plain_body(self: Any, ctx: Any) -> int:
    return 1


def test_a_time_beyond_all_numbers() -> None:
    with pytest.raises(DefinitionError, match="timeout must be a duration"):
        step(timeout=10**400)(plain_body)


def test_a_name_used_twice() -> None:
    with pytest.raises(DefinitionError, match="step two: another step is called same too; rename one"):

        @workflow
        class Twice:
            @step(name="same")
            def one(self, ctx: Context) -> None: ...

            @step(name="same")
            def two(self, ctx: Context) -> None: ...


def test_a_cycle() -> None:
    with pytest.raises(DefinitionError, match="The steps wait for each other: one → two → one"):

        @workflow
        class Round:
            @step(depends_on=["two"])
            def one(self, ctx: Context) -> None: ...

            @step(depends_on=["one"])
            def two(self, ctx: Context) -> None: ...


# --- before anything is sent ------------------------------------------------------------------------------


def test_a_body_that_agents_cannot_import(twin: PlatformTwin) -> None:
    @workflow
    class Inside:
        @step
        def work(self, ctx: Context) -> None: ...

    with (
        client(twin) as platform,
        pytest.raises(BundleError, match="defined inside a function, where agents"),
    ):
        platform.deploy(Inside)
    assert twin.requests == []


def test_a_class_that_another_one_hides(twin: PlatformTwin, write: Any, tmp_path: Path) -> None:
    """Agents would run the other one's bodies."""
    first = write("hidden.py", imports="")
    sys.modules["hidden"].__dict__["Sample"] = type("Sample", (), {})
    with client(twin) as platform, pytest.raises(BundleError, match="Sample in hidden leads to something"):
        platform.deploy(first)
    del sys.modules["hidden"].__dict__["Sample"]
    with client(twin) as platform, pytest.raises(BundleError, match="Sample in hidden leads to nothing"):
        platform.deploy(first)
    assert twin.requests == []


@pytest.mark.parametrize("name", ["queue", "agentainer_flow"])
def test_a_module_that_agents_have_another_of(write: Any, name: str) -> None:
    before = sys.modules.get(name)
    with pytest.raises(BundleError, match=rf"{name}\.py: agents have a module {name} already"):
        write(f"{name}.py", imports="")
    assert sys.modules.get(name) is before


def test_a_module_that_ends_the_program(write: Any) -> None:
    with pytest.raises(BundleError, match=r"leaving\.py cannot be imported: SystemExit: 7"):
        write("leaving.py", imports="import sys; sys.exit(7)")


@pytest.mark.parametrize("what", [5, None, object()])
def test_what_is_no_class(twin: PlatformTwin, what: Any) -> None:
    with client(twin) as platform, pytest.raises(DefinitionError, match="is not a workflow; put @workflow"):
        platform.run(what)
    assert twin.requests == []


def test_a_missing_requirement(twin: PlatformTwin, write: Any, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "__init__.py").write_text("")
    sample = write("needs_more.py", imports="import elsewhere")
    with client(twin) as platform, pytest.raises(BundleError) as failure:
        platform.deploy(sample)
    assert str(failure.value).startswith("needs_more.py, line 2, imports elsewhere, which agents do not have")
    assert twin.requests == []


@pytest.mark.parametrize(
    "imports",
    [
        "import json, os.path, fsspec",
        "try:\n    import elsewhere\nexcept ImportError:\n    pass",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import elsewhere",
    ],
)
def test_what_agents_have_and_what_may_fail_is_no_missing_requirement(
    twin: PlatformTwin, write: Any, imports: str
) -> None:
    with client(twin) as platform:
        assert platform.deploy(write("needs_no_more.py", imports=imports))["version"] == 1


def test_a_missing_requirement_of_a_module_beside_the_workflow(twin: PlatformTwin, tmp_path: Path) -> None:
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "deep.py").write_text("import numpy\n")
    (package / "flow.py").write_text(dedent(PROGRAM).format(imports="from . import deep"))
    sys.path.insert(0, str(tmp_path))
    try:
        module = __import__("pack.flow", fromlist=["Sample"])
        with (
            client(twin) as platform,
            pytest.raises(BundleError, match=r"^pack/deep\.py, line 1, imports numpy"),
        ):
            platform.deploy(module.Sample)
    finally:
        sys.path.remove(str(tmp_path))
        for name in ("pack", "pack.deep", "pack.flow"):
            sys.modules.pop(name, None)


# --- with the first answer --------------------------------------------------------------------------------


def test_a_wrong_token(twin: PlatformTwin) -> None:
    with (
        client(twin, "wrong") as platform,
        pytest.raises(AuthenticationError, match="This token is not known"),
    ):
        platform.list_workflows()


@pytest.mark.parametrize(
    ("version", "old"), [("0.0.9", True), ("0.1.0", False), ("1.0", False), ("odd", False)]
)
def test_a_server_too_old(twin: PlatformTwin, version: str, old: bool) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        body = json.dumps({"results": [], "next": None})
        return httpx.Response(200, text=body, headers={VERSION_HEADER: version})

    twin.trouble = answer
    with client(twin) as platform:
        if not old:
            assert platform.list_workflows() == []
            return
        with pytest.raises(ServerTooOld) as failure:
            platform.list_workflows()
    assert str(failure.value) == (
        f"The platform at {URL} is version 0.0.9, and this client needs 0.1 or newer: update the platform, or"
        " install an SDK of its version: pip install 'agentainer-flow==0.0.9'."
    )


# --- when it runs -----------------------------------------------------------------------------------------


def test_a_return_value_without_a_json_form() -> None:
    @workflow
    class Odd:
        @step
        def work(self, ctx: Context) -> Any:
            return {"found": {1, 2}}

    with pytest.raises(RunFailed, match=r"output\.found"):
        run_workflow_locally(Odd).result()


def test_a_result_that_nobody_awaited() -> None:
    async def later() -> int:
        return 1

    @workflow
    class Forgetful:
        @step
        async def work(self, ctx: Context) -> Any:
            found = {"sum": later()}
            found["sum"].close()  # Python would warn of it
            return found

    with pytest.raises(RunFailed, match=r"output\.sum is a coroutine, which nobody awaited: write await"):
        run_workflow_locally(Forgetful).result()
