"""Lists that are too large to be held: maps over them, and the lists that maps give."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from tests.integration.workflows.harness import Harness, drive, make_run, mapping, task
from workflows.domain.artifacts import LIMIT
from workflows.engine import context as engine_context
from workflows.engine import loading, scope
from workflows.models import ArtifactUse, Item, Run, Step
from workflows.selectors import artifacts as stored
from workflows.selectors import runs as read
from workflows.services import artifacts

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

FILES = [f"{n:05}-{'x' * 60}" for n in range(2500)]


@pytest.fixture(autouse=True)
def directory(settings: Any, tmp_path: Path) -> Path:
    settings.AFLOW_ARTIFACTS_URL = str(tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def read_whole(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was read as a whole: artifacts by their SHA-256, maps as "map"."""
    found: list[str] = []
    load, outputs = stored.load, loading.map_outputs

    def load_and_tell(team_id: int, sha256: str) -> bytes:
        found.append(sha256)
        return load(team_id, sha256)

    def outputs_and_tell(*args: Any) -> list[Any]:
        found.append("map")
        return outputs(*args)

    monkeypatch.setattr(stored, "load", load_and_tell)
    monkeypatch.setattr(scope, "map_outputs", outputs_and_tell)
    return found


def listing_body(value: Any, invocation: Any) -> Any:
    """The step `list` gives an object with a large list; every other body gives its item back."""
    step = invocation.context["step_id"]
    return {"other": {"files": [1]}, "files": FILES} if step == "list" else value["item"]


async def row(run: Run, key: str) -> Step:
    return await sync_to_async(Step.objects.get)(run=run, key=key)


async def inputs_of(run: Run, key: str) -> list[Any]:
    rows = Item.objects.filter(step__run=run, step__key=key).order_by("index")
    return await sync_to_async(lambda: list(rows.values_list("input", flat=True)))()


async def test_the_list_of_a_map_is_read_from_the_artifact_without_holding_it(read_whole: list[str]) -> None:
    run, _ = await drive(
        listing_body,
        task("list"),
        mapping("each", needs=["list"], over="${steps.list.output.files}", batch_size=500),
        output="${steps.each.state}",
    )
    assert run.output == "completed"
    assert (await row(run, "list")).output["size"] > LIMIT
    assert await inputs_of(run, "each") == FILES
    assert read_whole == []


async def test_an_expression_that_has_to_be_computed_is_read_whole(read_whole: list[str]) -> None:
    run, _ = await drive(
        listing_body,
        task("list"),
        mapping("each", needs=["list"], over="${steps.list.output.files.filter(f, f < '00003')}"),
        output="${steps.each.output}",
    )
    assert run.output == FILES[:3]
    assert read_whole == [(await row(run, "list")).output["$artifact"]]


async def test_a_map_over_what_another_map_gave(read_whole: list[str]) -> None:
    def body(value: Any, invocation: Any) -> Any:
        if invocation.context["step_id"] == "a" and value["item"] == 7:
            raise ValueError("seven")
        return None if value["item"] is None else value["item"] + 1

    run, _ = await drive(
        body,
        mapping("a", over=list(range(1200)), error_strategy="continue"),
        mapping("b", needs=["a"], over="${steps.a.output}"),
    )
    assert run.output == [None if n == 7 else n + 2 for n in range(1200)]
    assert read_whole == []


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("output.nothing", "${steps.list.output.nothing} has no value: there is no 'nothing'"),
        ("output.files[9999]", "${steps.list.output.files[9999]} has no value: there is no 9999"),
        ("output.other", "`over` must give a list; here it gave dict"),
    ],
)
async def test_a_path_to_no_list_is_told_as_ever(path: str, sentence: str) -> None:
    run, _ = await drive(
        listing_body, task("list"), mapping("each", needs=["list"], over=f"${{steps.list.{path}}}")
    )
    assert run.error["message"] == sentence


async def test_an_artifact_that_was_changed_feeds_no_map(directory: Path) -> None:
    def body(value: Any, invocation: Any) -> Any:
        if invocation.context["step_id"] == "between":
            (file,) = [path for path in directory.rglob("*") if path.is_file()]
            file.write_bytes(file.read_bytes().replace(b"00001-", b"99999-"))
            return None
        return listing_body(value, invocation)

    run, broker = await drive(
        body,
        task("list"),
        task("between", needs=["list"]),
        mapping("each", needs=["between"], over="${steps.list.output.files}"),
    )
    assert run.state == "failed"
    assert "does not hold what was stored" in run.error["message"]
    assert len(broker.sent) == 2


async def test_a_store_that_is_away_is_waited_for(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_context, "STORE_PAUSE", 0.01)
    asked = threading.Semaphore(0)
    open_file = stored.open_file
    times = iter(range(3))

    def away(artifact: Any) -> Any:
        asked.release()
        if next(times, None) is not None:
            raise stored.StoreAway("Artifacts cannot be reached: it is away.")
        return open_file(artifact)

    monkeypatch.setattr(stored, "open_file", away)
    run, _ = await drive(
        listing_body,
        task("list"),
        mapping("each", needs=["list"], over="${steps.list.output.files}", batch_size=500),
        task("count", needs=["each"], input={"item": "${steps.list.output}"}),
        output="${steps.count.state}",
    )
    assert run.output == "completed"
    assert all(asked.acquire(blocking=False) for _ in range(4))


async def test_the_list_that_a_map_gives_to_the_run_is_never_held(read_whole: list[str]) -> None:
    run, _ = await drive(lambda value, _: value["item"], mapping("each", over=FILES, batch_size=500))
    assert run.output["size"] > LIMIT
    assert await sync_to_async(stored.value_of)(run.team_id, run.output) == FILES
    assert read_whole == [run.output["$artifact"]]  # by this test


async def test_a_large_output_is_handed_on_as_it_lies(read_whole: list[str]) -> None:
    run, _ = await drive(
        listing_body,
        task("list"),
        {
            "id": "again",
            "type": "loop",
            "needs": ["list"],
            "input": "${steps.list.output}",
            "until": True,
            "steps": [{"id": "same", "type": "wait", "duration": 0}],
        },
        output="${steps.list.output}",
    )
    made = (await row(run, "list")).output
    assert run.output == made == (await row(run, "again")).input
    assert read_whole == [made["$artifact"]]  # by the loop, whose steps may look at it


async def test_what_a_sub_workflow_gives_is_kept_with_its_parent(read_whole: list[str]) -> None:
    def make() -> tuple[Run, Run, Any]:
        child = Run.objects.get(pk=make_run(task("a")))
        parent = Run.objects.get(pk=make_run(task("b")))
        return parent, child, artifacts.store(child.team_id, child.pk, b'"' + b"x" * LIMIT + b'"').as_json()

    parent, _child, output = await sync_to_async(make)()
    harness = Harness(listing_body)
    try:
        driver = await harness.take(parent.pk)
        assert await driver.context.keep_too(output) == output
        assert await driver.context.keep_too({"small": 1}) == {"small": 1}
    finally:
        await harness.close()
    assert await sync_to_async(ArtifactUse.objects.filter(run=parent).count)() == 1
    assert read_whole == []


async def test_a_map_s_list_that_is_too_large_to_show_is_told_by_where_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, _ = await drive(lambda value, _: value["item"], mapping("each", over=FILES[:100]))
    shown = await sync_to_async(read.step_detail)(run, "each")
    assert shown["output"] == FILES[:100]
    monkeypatch.setattr(read, "MOST_SHOWN", 1000)
    shown = await sync_to_async(read.step_detail)(run, "each")
    assert shown["output"] == {"$items": 100, "url": f"/api/v1/runs/{run.pk}/steps/each/items/"}


async def test_failures_are_read_only_where_somebody_looks_at_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def watched(name: str) -> Any:
        real = getattr(scope, name)

        def read(*args: Any) -> Any:
            asked.append(name)
            return real(*args)

        return read

    for name in ("map_outputs", "failed_items"):
        monkeypatch.setattr(scope, name, watched(name))

    def body(value: Any, _invocation: Any) -> Any:
        if value == {"item": 2}:
            raise ValueError("two")
        return value

    run, _ = await drive(
        body,
        mapping("each", over=[1, 2, 3], error_strategy="continue"),
        task("outputs", needs=["each"], input="${steps.each.output}"),
        task("failed", needs=["outputs"], input="${steps.each.failed}"),
        task("computed", needs=["failed"], input="${size(steps.each.failed)}"),
        output=["${steps.outputs.output}", "${steps.failed.output[0].index}", "${steps.computed.output}"],
    )
    assert run.output == [[{"item": 1}, None, {"item": 3}], 1, 1]
    assert asked == ["map_outputs", "failed_items", "map_outputs", "failed_items"]


async def test_many_expressions_over_one_large_value_come_to_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scope, "MOST_VALUES", 500_000)
    run, _ = await drive(
        listing_body,
        task("list"),
        task("once", needs=["list"], input={"item": "${steps.list.output}"}),
        task("often", needs=["once"], input={f"k{n}": "${steps.list.output}" for n in range(10)}),
    )
    assert (await row(run, "once")).state == "completed"
    assert run.error["step"] == "often"
    assert "more than 500000 values and characters" in run.error["message"]
