"""What the documentation shows, runs: the pages that need a platform, on one of real processes."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
import yaml

from agentainer_flow import WorkflowClient
from tests.live_platform import ROOT, LivePlatform
from tests.snippets.fences import is_live, pages
from tests.snippets.running import PageRun

LIVE = [page for page in pages() if is_live(page)]


@pytest.fixture(scope="module", autouse=True)
def _census(platform: LivePlatform) -> None:
    """Pages count on this example to be there, as it is after the first start."""
    census = yaml.safe_load((ROOT / "examples" / "code-census.yaml").read_text("utf-8"))
    with WorkflowClient(platform.url, platform.credentials["token"]) as client:
        client.save_workflow(census)


@pytest.mark.parametrize("page", LIVE)
def test_what_the_page_shows_runs(page: str, tmp_path: Path, platform: LivePlatform) -> None:
    PageRun(page, tmp_path, platform).run()


def test_every_metric_is_told_of_and_there_is_no_other(platform: LivePlatform) -> None:
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text("utf-8")
    rows = re.findall(r"^\| `(agentainer_\w+)` \|([^|]*)\|", page, re.MULTILINE)
    told = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    text = httpx.get(f"{platform.url}/metrics", trust_env=False, timeout=30).text

    assert set(re.findall(r"^# TYPE (agentainer_\w+)", text, re.MULTILINE)) == set(told)
    for name, labels in re.findall(r"^(agentainer_\w+)\{([^}]*)\}", text, re.MULTILINE):
        assert set(re.findall(r"(\w+)=", labels)) <= told[re.sub(r"_(sum|count)$", "", name)], name
