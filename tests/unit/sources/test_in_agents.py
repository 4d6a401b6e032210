"""What an agent does with a source: it asks for the secrets by name, and hands the items on in pages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import fsspec
import pytest

from agentainer_flow import Context
from agentainer_flow.sources import SourceError
from agentainer_flow.sources.agent import PAGE, read


class Listening:
    """The executor's end: what was asked, and the answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []

    def call(self, op: str, args: dict[str, Any]) -> Any:
        self.asked.append((op, args))
        return "s3cret" if op == "secrets.get" else None

    def progress(self, value: Any) -> None:
        """Nobody looks."""

    def metric(self, name: str, value: float) -> None:
        """Nobody looks."""


@pytest.fixture
def executor() -> Listening:
    return Listening()


def test_items_come_in_pages(executor: Listening, tmp_path: Path) -> None:
    file = tmp_path / "numbers.jsonl"
    file.write_text("\n".join(map(str, range(PAGE + 5))))
    assert read(Context(talk=executor), str(file)) == PAGE + 5
    assert executor.asked == [
        ("source.items", {"items": list(range(PAGE))}),
        ("source.items", {"items": list(range(PAGE, PAGE + 5))}),
    ]


def test_relative_paths_are_those_of_the_bundle_and_of_nothing_else(
    executor: Listening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("one")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert read(Context(talk=executor), "a.txt", bundled=True) == 1
    with pytest.raises(SourceError, match="a relative path is looked for among the files that came with"):
        read(Context(talk=executor), "a.txt")


def test_secrets_are_asked_for_by_name(executor: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def url_to_fs(url: str, **options: Any) -> Any:
        given.update(options)
        raise FileNotFoundError(url)

    monkeypatch.setattr(fsspec.core, "url_to_fs", url_to_fs)
    options = {"key": {"secret": "SHOP_KEY"}, "client": {"timeout": 5}}
    with pytest.raises(SourceError, match="there is no such file") as failure:
        read(Context(talk=executor), "memory://none.csv", options=options)
    assert executor.asked == [("secrets.get", {"name": "SHOP_KEY"})]
    assert given == {"key": "s3cret", "client": {"timeout": 5}}
    assert "s3cret" not in str(failure.value)
