"""Every example is opened on the canvas and run from there: among them is each type of step."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Page, expect

from tests.e2e.test_browser import install
from tests.live_platform import LivePlatform

pytestmark = [pytest.mark.browser, pytest.mark.docker]

EXAMPLES = Path(__file__).parents[2] / "examples"
TYPES = {"task", "map", "reduce", "mapreduce", "branch", "loop", "workflow", "approval", "wait"}
NAMES = [
    "book-trip",
    "fan-out",
    "grade-and-route",
    "imports",
    "running-total",
    "square-root",
    "word-count",
    "wait-for-delivery",
    "publish-report",
]


def steps_of(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [inner for step in steps for inner in (step, *steps_of(step.get("steps", [])))]


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    return found


def test_every_type_is_among_them() -> None:
    steps = [step for name in NAMES for step in steps_of(document(name)["steps"])]
    assert {step["type"] for step in steps} == TYPES
    assert any(step.get("streaming") for step in steps)


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_from_its_canvas(page: Page, platform: LivePlatform, name: str) -> None:
    for needed in ("word-count", name):
        install(platform, needed)
    page.goto(f"/workflows/{name}")
    for step in document(name)["steps"]:
        node = page.locator(f'.react-flow__node[data-id="{step["id"]}"]')
        expect(node).to_be_attached(timeout=30_000)
    page.get_by_role("button", name="Run", exact=True).click()
    dialog = page.get_by_role("dialog")
    if document(name).get("params"):
        dialog.get_by_role("button", name="Run").click()
    expect(page).to_have_url(re.compile("/runs/"), timeout=15_000)
    run = page.url.split("/runs/")[1].split("?")[0]
    answer(page, platform, run, name)
    expect(page.get_by_role("status").filter(has_text="completed").first).to_be_visible(timeout=60_000)
    assert platform.http.get(f"runs/{run}/").json()["state"] == "completed"


def answer(page: Page, platform: LivePlatform, run: str, name: str) -> None:
    """What people and programs do for those that wait."""
    if name == "wait-for-delivery":
        event = {"name": "delivered-7", "payload": {"weight": 3.2}}
        assert platform.http.post(f"runs/{run}/signal/", json=event).status_code == 202
    elif name == "publish-report":
        waits = page.locator('[aria-label*="approve"][aria-label*="waiting"]').first
        expect(waits).to_be_visible(timeout=60_000)
        decision = {"approve": True, "data": {"title": "Words"}}
        decided = platform.http.post(f"runs/{run}/steps/approve/decide/", json=decision)
        assert decided.status_code == 202, json.dumps(decided.json())
