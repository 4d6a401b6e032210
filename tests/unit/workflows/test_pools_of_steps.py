from typing import Any

import pytest

from pools.facade.api import BUILT_IN_IMAGE, default_pool_name
from pools.facade.contracts import AgentKind
from workflows.domain.document import Document
from workflows.domain.pools import named_pool, own_pool, pool_uses
from workflows.domain.steps import CallingStep, MapReduceStep, Run, TaskStep
from workflows.services.step_pools import kind_of, pool_name, reading_pool


def one(options: Any, **defaults: Any) -> tuple[Document, Any]:
    step = {"id": "Count", "type": "task", "run": {"code": "1"}, "pool": options}
    document = Document.model_validate({"name": "w", "steps": [step], "defaults": defaults})
    return document, document.steps[0]


@pytest.mark.parametrize(
    ("options", "low", "high", "warm", "uses"),
    [
        ({"size": 4}, 4, 4, True, None),
        ({"size": 4, "warm_up": False}, 0, 4, False, None),
        ({"size": 4, "max_uses": 7}, 4, 4, True, 7),
        ({"min_size": 1, "max_size": 3, "warm_up": True}, 1, 3, True, None),
        ({"min_size": 8}, 8, 8, False, None),
        ({}, 0, 5, False, None),
        ({"mode": "standard", "size": 4}, 0, 4, False, 1),
    ],
)
def test_what_options_ask_for(
    options: dict[str, Any], low: int, high: int, warm: bool, uses: int | None
) -> None:
    pool = own_pool(*one(options))
    assert pool is not None
    assert (pool.name, pool.min_size, pool.max_size, pool.warm_up, pool.max_uses) == (
        "w-count",
        low,
        high,
        warm,
        uses,
    )


def test_named_pools() -> None:
    assert named_pool(*one("gpu")) == "gpu"
    assert named_pool(*one(None, pool="shared")) == "shared"
    assert named_pool(*one(None)) is None
    assert named_pool(*one({"size": 2}, pool="shared")) is None


def uses(*runs: dict[str, Any], pool: Any = None) -> list[tuple[str, str | None, bool]]:
    """The pool's name, image and whether it is for commands, of a mapreduce's behaviours."""
    mapper, *reducer = runs
    step = {"id": "s", "type": "mapreduce", "over": [1], "mapper": mapper, "pool": pool}
    if reducer:
        step["reducer"] = reducer[0]
    document = Document.model_validate({"name": "w", "steps": [step]})
    parsed = document.steps[0]
    assert isinstance(parsed, MapReduceStep)
    found = zip(pool_uses(document, parsed), parsed.runs, strict=True)
    return [(pool_name(document, parsed, run), use.image, use.commands) for use, run in found]


def test_commands_have_the_built_in_agents_pool_or_one_of_their_image() -> None:
    assert uses({"command": ["ls"]}) == [("python", None, False)]
    assert uses({"command": ["ls"], "image": "tool"}) == [("commands-tool", "tool", True)]
    assert uses({"image": "tool"}) == [("image-tool", "tool", False)]


def test_an_image_and_commands_in_it_do_not_share_a_pool() -> None:
    both = uses({"command": ["ls"], "image": "tool"}, {"image": "tool"}, pool={"size": 2})
    assert both == [("w-s", "tool", True), ("image-tool", "tool", False)]


def test_behaviours_share_a_pool_where_their_requirements_are_equal() -> None:
    code = {"code": "main = print"}
    one, same = ({**code, "requirements": given} for given in (["a==1", "B"], ["b", "a == 1"]))
    (shared,) = {name for name, _, _ in uses(one, same)}
    assert shared.startswith("python-a-b-")
    assert [name for name, _, _ in uses(one, same, pool={"size": 2})] == ["w-s", "w-s"]
    assert [name for name, _, _ in uses(one, code, pool={"size": 2})] == ["w-s", "python"]
    assert [name for name, _, _ in uses(code, one, pool={"size": 2})] == ["w-s", shared]


@pytest.mark.parametrize(
    ("mapper", "pool", "default", "reads"),
    [
        ({"code": "1"}, None, None, "python"),
        ({"code": "1"}, None, "outside", "outside"),
        ({"code": "1", "requirements": ["requests"]}, None, None, "python"),
        ({"code": "1", "requirements": ["requests"]}, None, "outside", "outside"),
        ({"code": "1", "requirements": ["requests"]}, "mine", "outside", "mine"),
        ({"code": "1", "requirements": ["requests"]}, {"size": 2}, "outside", "w-s"),
        ({"image": "tool"}, None, "outside", "outside"),
        ({"image": "tool"}, {"size": 2}, None, "python"),
    ],
)
def test_where_sources_are_read(mapper: dict[str, Any], pool: Any, default: str | None, reads: str) -> None:
    """Requirements do not change it: their shared pool reaches nothing outside."""
    step = {"id": "s", "type": "mapreduce", "over": {"source": "https://a.example/b"}, "mapper": mapper}
    step |= {"pool": pool} if pool is not None else {}
    document = Document.model_validate({"name": "w", "steps": [step], "defaults": {"pool": default}})
    parsed = document.steps[0]
    assert isinstance(parsed, CallingStep)
    assert reading_pool(document, parsed) == reads


def test_the_default_pool_is_for_steps_without_requirements() -> None:
    step = {"id": "a", "type": "task", "run": {"code": "1", "requirements": ["requests"]}}
    document = Document.model_validate({"name": "w", "steps": [step], "defaults": {"pool": "shared"}})
    assert isinstance(document.steps[0], TaskStep)
    assert named_pool(document, document.steps[0]) is None


def test_the_built_in_image_by_its_name_takes_commands_as_it_is() -> None:
    parsed = Run(command=("ls",), image=BUILT_IN_IMAGE)
    assert kind_of(parsed) == AgentKind(BUILT_IN_IMAGE)
    assert default_pool_name(kind_of(parsed)) == "python"


def test_what_its_agents_have() -> None:
    wanted = {"env": {"A": "1"}, "cpu": 0.5, "memory": 2**28, "pids": 64}
    pool = own_pool(*one(wanted))
    assert pool is not None
    assert {"env": pool.env, "cpu": pool.cpu, "memory": pool.memory, "pids": pool.pids} == wanted
