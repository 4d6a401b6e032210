"""What the documentation shows, runs: the pages that need a platform, on one of real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.live_platform import ROOT, LivePlatform
from tests.snippets.fences import is_live, pages
from tests.snippets.running import PageRun

LIVE = [page for page in pages() if is_live(page)]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePlatform]:
    """Its agents are local processes: what pages show is the same on containers, which other tests are
    about."""
    platform = LivePlatform(tmp_path_factory.mktemp("pages"))
    platform.up("--no-examples", "--runtime", "process")
    try:
        # Pages count on this example to be there, as it is after the first start.
        census = yaml.safe_load((ROOT / "examples" / "code-census.yaml").read_text("utf-8"))
        assert platform.http.post("workflows/", json=census).status_code == 201
        yield platform
    finally:
        platform.down()


@pytest.mark.parametrize("page", LIVE)
def test_what_the_page_shows_runs(page: str, tmp_path: Path, live: LivePlatform) -> None:
    PageRun(page, tmp_path, live).run()
