"""The site is built strictly, of everything that there is, and needs no internet."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handbook import building, decisions, examples
from handbook.__main__ import main
from handbook.files import problems


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site") / "site"
    building.build(made)
    return made


def named(navigation: Any) -> Iterator[str]:
    """The files that a navigation leads to."""
    if isinstance(navigation, str):
        yield navigation
    elif isinstance(navigation, dict):
        for inner in navigation.values():
            yield from named(inner)
    else:
        for inner in navigation:
            yield from named(inner)


def text_of(page: Path) -> str:
    return re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8"))


def test_every_page_is_built_and_in_the_navigation(site: Path, tmp_path: Path) -> None:
    building.gather(tmp_path / "docs")
    gathered = {str(file.relative_to(tmp_path / "docs")) for file in (tmp_path / "docs").rglob("*.md")}
    navigation = list(named(tomllib.loads(building.configuration())["project"]["nav"]))

    assert set(navigation) == gathered
    assert len(navigation) == len(set(navigation))
    assert all((site / name).with_suffix(".html").is_file() for name in gathered)


def test_decisions_and_examples_are_all_there(site: Path) -> None:
    assert len(decisions.files()) > 20
    assert {file.stem for file in decisions.files()} <= {page.stem for page in (site / "adr").iterdir()}
    assert (site / "examples" / examples.page_of(Path("hello.yaml"))).with_suffix(".html").is_file()


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("workflows", "max_concurrent_runs"),
        ("context", "compare_and_set"),
        ("client", "change_trigger"),
        ("client", "PreconditionFailed"),
        ("testing", "assert_called_times"),
        ("agent", "ResultStream"),
        ("command-line", "--batch-size"),
        ("rest", "/runs/{run_id}/replay/"),
        ("shapes", "graceful_shutdown"),
        ("document", "min_success_rate"),
        ("errors", "precondition_failed"),
    ],
)
def test_references_are_made_of_the_code(site: Path, page: str, name: str) -> None:
    assert name in text_of(site / "reference" / f"{page}.html")


def test_links_and_anchors_that_lead_nowhere_fail_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gather = building.gather

    def spoilt(pages: Path) -> None:
        gather(pages)
        (pages / "index.md").write_text("# A\n\n[a](nowhere.md) [b](tutorial.md#nowhere)\n", encoding="utf-8")

    monkeypatch.setattr(building, "gather", spoilt)

    with pytest.raises(building.BuildFailed) as failure:
        building.build(tmp_path / "site")
    assert "page does not exist" in str(failure.value)
    assert "anchor does not exist" in str(failure.value)
    assert not (tmp_path / "site").exists()


def test_what_is_not_there_or_needs_the_internet_fails_the_build(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def built(place: Path) -> None:
        shutil.copytree(site, place / "site")
        added = '<img src="images/nothing.png"><script src="https://example.com/a.js"></script>'
        with (place / "site" / "index.html").open("a", encoding="utf-8") as page:
            page.write(added)

    monkeypatch.setattr(building, "_zensical", built)

    with pytest.raises(building.BuildFailed) as failure:
        building.build(tmp_path / "site")
    assert "<img> leads to images/nothing.png, which is not there" in str(failure.value)
    assert "<script> loads https://example.com/a.js, which needs the internet" in str(failure.value)
    assert not (tmp_path / "site").exists()


def test_the_check_of_files_knows_what_the_platform_serves(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<a href="/api/v1/docs/">a</a><a href="https://cel.dev">b</a><img src="c.png">'
    )

    assert problems(tmp_path) == ["a.html: <img> leads to c.png, which is not there."]


def test_the_command_says_where_the_site_is_or_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise building.BuildFailed("index.md leads nowhere")

    monkeypatch.setattr(building, "build", lambda: None)
    assert main() == 0
    assert str(building.SITE) in capsys.readouterr().out
    monkeypatch.setattr(building, "build", broken)
    assert main() == 1
    assert "index.md leads nowhere" in capsys.readouterr().err
