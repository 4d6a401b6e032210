"""Maps over a source: an agent reads it in pages, and later drivers go on with the same items."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from agentainer_flow.sources.agent import pages
from agentainer_flow.sources.reading import read_items
from pools.facade.contracts import Handler
from tests.integration.workflows.harness import Play, drive, make_run, mapping, play, task
from workflows.domain.artifacts import LIMIT
from workflows.engine import scope
from workflows.engine.agents import Agents
from workflows.models import Item, Step
from workflows.services import control, retrying

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

LINES = [f"{number:05}-{'x' * 60}" for number in range(2500)]


@pytest.fixture(autouse=True)
def directory(settings: Any, tmp_path: Path) -> Path:
    settings.AFLOW_ARTIFACTS_URL = str(tmp_path / "store")
    return tmp_path


@pytest.fixture
def lines(tmp_path: Path) -> str:
    file = tmp_path / "lines.txt"
    file.write_text("\n".join(LINES))
    return str(file)


def write(file: str, text: str) -> None:
    Path(file).write_text(text)


async def body(value: Any, invocation: Any) -> Any:
    """Reads as the agents' own code does; every other body gives its item back."""
    if not isinstance(value, dict) or "source" not in value:
        return value["item"]
    try:
        for page in pages(value["source"], read_items(value["source"], format=value["format"])):
            await invocation.listener.call("source.items", {"items": page}, 0)
    except Exception as exc:
        raise ValueError(str(exc)) from exc
    return None


async def inputs_of(run: Any) -> list[Any]:
    rows = Item.objects.filter(step__run=run, step__key="each").order_by("index")
    return await sync_to_async(lambda: list(rows.values_list("input", flat=True)))()


async def row(run: Any) -> Step:
    return await sync_to_async(Step.objects.get)(run=run, key="each")


@pytest.mark.parametrize("size", [2500, 3])
async def test_an_agent_reads_the_items_of_a_map(lines: str, size: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(scope, "map_outputs", None)  # nothing is read as a whole
    write(lines, "\n".join(LINES[:size]))
    run, broker = await drive(
        body, mapping("each", over={"source": lines}, batch_size=500), output="${steps.each.state}"
    )
    assert run.output == "completed"
    assert await inputs_of(run) == LINES[:size]
    stored = (await row(run)).input
    assert stored == LINES[:3] if size == 3 else stored["size"] > LIMIT
    assert broker.sent[0].runs.source.startswith("from agentainer_flow.sources.agent import")


async def test_a_batch_size_beside_the_source_counts(lines: str) -> None:
    steps = [task("list"), mapping("each", needs=["list"], over="${steps.list.output}", batch_size=7)]

    async def told(value: Any, invocation: Any) -> Any:
        if invocation.context["step_id"] == "list":
            return {"source": lines, "batch_size": 1000}
        return await body(value, invocation)

    run, broker = await drive(told, *steps, output="${steps.each.state}")
    assert run.output == "completed"
    assert [len(sent.inputs) for sent in broker.sent if sent.batch] == [1000, 1000, 500]


async def test_a_source_that_is_a_list() -> None:
    run, _ = await drive(body, mapping("each", over={"source": [1, 2]}), output="${steps.each.output}")
    assert run.output == [1, 2]


async def test_images_get_batches_of_bare_items() -> None:
    def image(value: Any, _invocation: Any) -> Any:
        return [value]

    step = {"id": "each", "type": "mapreduce", "mapper": {"image": "processor:latest"}}
    for batch_size, gets in ((2, 1), (1, {"item": 1})):
        over = {"source": [1], "batch_size": batch_size}
        run, broker = await drive(image, {**step, "over": over})
        assert run.state == "completed"
        assert broker.sent[0].inputs == (gets,)
        assert broker.sent[0].batch is (batch_size > 1)


async def test_relative_paths_are_read_from_the_bundle(directory: Path) -> None:
    seen: list[Any] = []

    def reader(value: Any, invocation: Any) -> Any:
        seen.append((value, invocation.runs))

    run, _ = await drive(reader, mapping("each", over={"source": "data/a.csv", "bundle": "a" * 64}))
    assert run.state == "completed"
    (value, runs), *_ = seen
    assert value == {"source": "data/a.csv", "format": None, "options": None, "bundled": True}
    assert isinstance(runs, Handler)
    assert (runs.target, runs.bundle_sha256) == ("agentainer_flow.sources.agent:read", "a" * 64)


async def test_what_cannot_be_read_fails_the_step_after_its_attempts(lines: str) -> None:
    write(lines, "one\ntwo\0")
    retry = {"max_attempts": 2, "delay": 0.001}
    run, broker = await drive(body, mapping("each", over={"source": lines}, retry=retry))
    assert run.state == "failed"
    error = (await row(run)).error
    assert error["message"].endswith("lines.txt, line 2: there is a NUL character; is it a file of text?")
    assert len(broker.sent) == 2


@pytest.mark.parametrize("network", ["isolated", "egress"])
async def test_what_is_outside_needs_a_pool_with_egress(network: str, monkeypatch: Any) -> None:
    asked: list[str] = []

    async def reaches_outside(_self: Agents, pool: str) -> bool:
        asked.append(pool)
        return network == "egress"

    monkeypatch.setattr(Agents, "reaches_outside", reaches_outside)
    over = {"source": "s3://key:word@bucket/a.csv?token=1", "pool": "outside"}
    run, broker = await drive(lambda _value, _invocation: None, mapping("each", over=over))
    assert asked == ["outside"]
    if network == "egress":
        assert (run.state, len(broker.sent)) == ("completed", 1)
        return
    error = (await row(run)).error
    assert (error["type"], broker.sent) == ("no_egress", [])
    assert error["message"].startswith("s3://bucket/a.csv is outside, and the agents of pool outside reach")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"source": ""}, "the source of `over` is empty"),
        ({"source": "a", "batch_size": 0}, "batch_size"),
        ({"source": "a", "formt": "csv"}, "formt"),
        ({"source": 3}, "source"),
    ],
)
async def test_a_source_that_says_nonsense(more: dict[str, Any], says: str) -> None:
    run, _ = await drive(body, mapping("each", over="${params.over}"), params={"over": more})
    error = (await row(run)).error
    assert error["type"] == "bad_input"
    assert says in error["message"]


async def test_a_new_driver_and_a_retry_go_on_with_the_items_that_were_read(lines: str) -> None:
    """The file changes meanwhile: what was read counts."""
    failing = {LINES[1]}

    async def careful(value: Any, invocation: Any) -> Any:
        if isinstance(value, dict) and value.get("item") in failing:
            raise ValueError("not yet")
        return await body(value, invocation)

    over, more = {"source": lines}, {"error_strategy": "continue_on_partial", "min_success_rate": 1}
    write(lines, "\n".join(LINES[:3]))
    playing = await play(careful, mapping("each", over=over, **more), output="${steps.each.output}")
    assert (await playing.on()).state == "failed"
    write(lines, "other")
    failing.clear()
    await playing.ask(retrying.retry_run)
    run = await playing.on()
    assert (run.state, run.output) == ("completed", LINES[:3])


async def test_a_run_that_is_cancelled_while_it_reads_gives_the_agent_back(lines: str) -> None:
    async def slow(_value: Any, invocation: Any) -> Any:
        await invocation.listener.call("source.items", {"items": [1]}, 0)
        await playing.ask(control.cancel_run)
        await invocation.listener.call("source.items", {"items": [2]}, 0)
        await asyncio.sleep(3600)

    playing: Play = Play(await sync_to_async(make_run)(mapping("each", over={"source": lines})), slow)
    run = await playing.on()
    assert run.state == "cancelled"
    assert (await playing.states()) == {"each": "cancelled"}
