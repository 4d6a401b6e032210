"""Outputs that come in a file: written to the store as they are, and never made a value on the way."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from aflow_site.kernel.json import to_json
from aflow_site.kernel.spool import Spool
from pools.facade.contracts import LargeOutput
from tests.integration.workflows.harness import drive, mapping, task
from workflows.domain.artifacts import LIMIT
from workflows.engine import context as engine_context
from workflows.models import Item, Run, Step
from workflows.selectors import artifacts as stored
from workflows.services import artifacts

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

FILES = [f"{n:05}-{'ü' * 40}" for n in range(2500)]


@pytest.fixture(autouse=True)
def directory(settings: Any, tmp_path: Path) -> Path:
    settings.AFLOW_ARTIFACTS_URL = str(tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever would make JSON of a value, or a value of JSON, fails."""

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("an output was held")

    monkeypatch.setattr(artifacts, "to_json", never)
    monkeypatch.setattr(artifacts, "json", never)
    monkeypatch.setattr(stored, "load", never)


def in_file(text: bytes) -> LargeOutput:
    spool = Spool()
    spool.write(text)
    return LargeOutput(spool, holds_nul=False)


async def step(run: Run, key: str) -> Step:
    return await sync_to_async(Step.objects.get)(run=run, key=key)


def files_in(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


async def test_the_store_holds_the_text_as_ever(directory: Path, no_values: None) -> None:
    run, _ = await drive(lambda *_: FILES, task("list"), output="${steps.list.state}")
    text = to_json(FILES)
    sha256 = hashlib.sha256(text).hexdigest()
    assert (await step(run, "list")).output == {
        "$artifact": sha256,
        "size": len(text),
        "content_type": "application/json",
    }
    (file,) = files_in(directory)
    assert (file.name, file.read_bytes()) == (sha256, text)


async def test_what_comes_in_a_file_and_is_small_stays_in_its_row(directory: Path) -> None:
    like_ours = {"$artifact": "0" * 64, "size": 1, "content_type": "x"}
    run, _ = await drive(lambda *_: in_file(to_json(like_ours)), task("small"))
    assert (await step(run, "small")).output == {"$literal": like_ours}
    assert run.output == {"$literal": like_ours}
    assert not files_in(directory)


async def test_a_nul_character_is_refused_as_ever(directory: Path) -> None:
    run, _ = await drive(lambda *_: ["\x00", *FILES], task("list"))
    assert run.error["type"] == "bad_output"
    assert "NUL character" in run.error["message"]
    assert not files_in(directory)


async def test_an_expression_reads_it_whole() -> None:
    run, _ = await drive(
        lambda *_: FILES,
        task("list"),
        task("next", needs=["list"], when="${size(steps.list.output) == 2500}"),
        output="${steps.list.output[2499]}",
    )
    assert run.output == FILES[-1]
    assert (await step(run, "next")).state == "completed"


async def test_a_store_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_context, "STORE_PAUSE", 0.01)
    write, times = artifacts._write_file, iter(range(2))

    def away(file_system: Any, root: str, path: str, content: Any) -> None:
        content.read(1000)
        if next(times, None) is not None:
            raise OSError("it is away")
        content.seek(0)
        write(file_system, root, path, content)

    monkeypatch.setattr(artifacts, "_write_file", away)
    run, _ = await drive(lambda *_: FILES, task("list"))
    assert await sync_to_async(stored.value_of)(run.team_id, run.output) == FILES
    assert next(times, None) is None


async def test_the_items_of_a_map(directory: Path) -> None:
    run, _ = await drive(lambda value, _: [*FILES, value["item"]], mapping("each", over=[1, 2]))
    rows = await sync_to_async(lambda: list(Item.objects.filter(step__run=run).order_by("index")))()
    hashes = [hashlib.sha256(to_json([*FILES, n])).hexdigest() for n in (1, 2)]
    assert [row.output["$artifact"] for row in rows] == hashes
    assert json.loads(next(f for f in files_in(directory) if f.name == hashes[0]).read_bytes())[-1] == 1


@pytest.mark.parametrize(
    ("made", "above"),
    [
        (task("a"), LIMIT),
        (mapping("a", over=[1, 2]), LIMIT),
        (mapping("a", over=[1, 2], batch_size=2), None),
    ],
)
async def test_which_answers_may_come_in_a_file(made: dict[str, Any], above: int | None) -> None:
    _, broker = await drive(lambda *_: 1, made)
    assert {invocation.spool_above for invocation in broker.sent} == {above}
