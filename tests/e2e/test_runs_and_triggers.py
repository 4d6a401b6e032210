"""Runs that people hold, decide on and try again, and triggers: in the browser, on a real platform."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_browser import install
from tests.live_platform import LivePlatform

pytestmark = [pytest.mark.browser, pytest.mark.docker]

Picture = Callable[[str], None]

SLOW_ITEM = "import time\n\ndef main(item):\n    time.sleep(0.4)\n    return item\n"
BREAKS_ONCE = """
def main(item, ctx):
    if item % 4 == 1 and ctx.state.increment(f"tries-{item}") == 1:
        raise ValueError(f"no luck with {item}")
    if item % 4 == 2 and ctx.state.increment(f"tries-{item}") == 1:
        raise KeyError("colour")
    return item
"""


def make(platform: LivePlatform, name: str, steps: list[dict[str, Any]]) -> None:
    answer = platform.http.post("workflows/", json={"name": name, "steps": steps})
    assert answer.status_code in (201, 409), answer.text


def start(platform: LivePlatform, workflow: str, **params: Any) -> str:
    answer = platform.http.post(f"workflows/{workflow}/runs/", json={"params": params})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def state(page: Page, word: str, timeout: int = 30_000) -> None:
    expect(page.get_by_role("status").filter(has_text=re.compile(f"^{word}$")).first).to_be_visible(
        timeout=timeout
    )


def test_a_run_is_held_and_goes_on(page: Page, platform: LivePlatform, picture: Picture) -> None:
    numbers = {"id": "numbers", "type": "task", "run": {"code": "def main():\n    return list(range(12))\n"}}
    work = {
        "id": "work",
        "type": "map",
        "needs": ["numbers"],
        "over": "${steps.numbers.output}",
        "max_parallel": 2,
        "run": {"code": SLOW_ITEM},
    }
    after = {"id": "after", "type": "task", "needs": ["work"], "run": {"code": "def main():\n    return 1\n"}}
    make(platform, "held", [numbers, work, after])
    page.goto(f"/runs/{start(platform, 'held')}?step=after")
    expect(page.get_by_text(re.compile(r"It waits for work \((running|queued)\)"))).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    state(page, "paused")
    expect(page.get_by_text("The run is paused; nothing starts until it is resumed.")).to_be_visible()
    picture("run-paused")
    page.get_by_role("button", name="Resume").click()
    state(page, "completed")
    expect(page.get_by_role("button", name="Run again")).to_be_enabled()


def test_an_approval_is_given_with_its_form(page: Page, platform: LivePlatform, picture: Picture) -> None:
    install(platform, "word-count")
    install(platform, "publish-report")
    run = start(platform, "publish-report")
    page.goto(f"/runs/{run}")
    state(page, "waiting", timeout=60_000)
    page.get_by_role("button", name="Decide").click()
    card = page.get_by_role("region", name="Approval approve")
    expect(card.get_by_label(re.compile("Title of the report"))).to_be_visible()
    card.get_by_role("button", name="Approve").click()
    expect(card.get_by_text("Fill this in.")).to_be_visible()
    card.get_by_label(re.compile("Title of the report")).fill("Words of the week")
    picture("run-approval")
    card.get_by_role("button", name="Approve").click()
    expect(card.get_by_text(f"Approved by {platform.credentials['username']}")).to_be_visible(timeout=15_000)
    state(page, "completed")
    expect(page.locator('[aria-label*="archive"][aria-label*="skipped"]').first).to_be_visible()
    output = platform.http.get(f"runs/{run}/").json()["output"]
    assert output["publish"]["published"] == "Words of the week"


def test_the_run_of_a_sub_workflow_leads_back(page: Page, platform: LivePlatform) -> None:
    install(platform, "word-count")
    install(platform, "publish-report")
    run = start(platform, "publish-report")
    page.goto(f"/runs/{run}?step=report")
    inspector = page.get_by_role("complementary", name="Inspector")
    link = inspector.get_by_role("definition").get_by_role("link", name=re.compile("^[0-9a-f]{8}$"))
    link.click(timeout=30_000)
    expect(page.get_by_role("heading", name="word-count")).to_be_visible()
    crumb = page.get_by_role("navigation", name="Breadcrumbs").get_by_role("link", name=re.compile("report"))
    crumb.click()
    expect(page).to_have_url(re.compile(f"/runs/{run}"))


def test_an_event_is_sent_to_the_step_that_waits_for_it(page: Page, platform: LivePlatform) -> None:
    install(platform, "wait-for-delivery")
    page.goto(f"/runs/{start(platform, 'wait-for-delivery', order=11)}")
    page.get_by_role("button", name="Send it").click(timeout=30_000)
    page.get_by_label("Payload (JSON)").fill('{"weight": 4}')
    page.get_by_role("button", name="Send event").click()
    state(page, "completed")


def test_iterations_of_a_loop_are_leafed_through(page: Page, platform: LivePlatform) -> None:
    install(platform, "square-root")
    page.goto(f"/runs/{start(platform, 'square-root')}?step=refine")
    state(page, "completed")
    loop = page.get_by_role("region", name="Iterations")
    expect(loop.get_by_text(re.compile("Iteration 5 of 5"))).to_be_visible()
    loop.get_by_role("button", name="The iteration before").click()
    expect(loop.get_by_text("Iteration 4 of 5")).to_be_visible()
    loop.get_by_role("button", name=re.compile("improve")).click()
    expect(page).to_have_url(re.compile(r"step=refine\.3\.improve"))
    expect(page.get_by_text("/ iteration 4")).to_be_visible()


def test_failed_items_are_grouped_and_tried_again(
    page: Page, platform: LivePlatform, picture: Picture
) -> None:
    numbers = {"id": "numbers", "type": "task", "run": {"code": "def main():\n    return list(range(12))\n"}}
    work = {
        "id": "work",
        "type": "map",
        "needs": ["numbers"],
        "over": "${steps.numbers.output}",
        "error_strategy": "continue",
        "retry": {"max_attempts": 1},
        "run": {"code": BREAKS_ONCE},
    }
    make(platform, "breaks-once", [numbers, work])
    page.goto(f"/runs/{start(platform, 'breaks-once')}")
    expect(page.get_by_text("6 items of work failed")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Show why").click()
    causes = page.get_by_role("region", name="Failures by cause")
    expect(causes.get_by_text("6 failed items, 2 causes")).to_be_visible()
    expect(causes.get_by_text(re.compile("KeyError"))).to_be_visible()
    expect(causes.get_by_text(re.compile("ValueError"))).to_be_visible()
    picture("run-failures")
    page.get_by_role("button", name="Retry", exact=True).click()
    expect(page.get_by_text("6 items of work failed")).to_be_hidden(timeout=15_000)
    state(page, "completed")
    expect(page.get_by_text("12 of 12 done").first).to_be_visible(timeout=15_000)


def test_a_schedule_is_made_and_tells_its_next_times(
    page: Page, platform: LivePlatform, picture: Picture
) -> None:
    install(platform, "hello")
    page.get_by_role("link", name="Triggers").first.click()
    page.get_by_role("button", name="New trigger").click()
    dialog = page.get_by_role("dialog")
    name = f"nightly-{int(time.time())}"
    dialog.get_by_label("Name of the trigger").fill(name)
    dialog.get_by_label("Starts the workflow").click()
    page.get_by_role("option", name="hello", exact=True).click()
    dialog.get_by_label("Cron line").fill("30 2 * * 1-5")
    expect(dialog.get_by_text("At 02:30 on Monday to Friday.")).to_be_visible()
    dialog.get_by_label("Time zone").click()
    dialog.get_by_label("Time zone").fill("Europe/Ber")
    page.get_by_role("option", name="Europe/Berlin").click()
    dialog.get_by_label("Name", exact=True).fill("Ada")
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    times = page.get_by_role("region", name="Next times").get_by_role("listitem")
    expect(times).to_have_count(5)
    expect(times.first).to_contain_text("02:30")
    page.get_by_role("button", name="Fire now").click()
    firings = page.get_by_role("region", name="Firings")
    expect(firings.get_by_text("completed").first).to_be_visible(timeout=30_000)
    picture("trigger")
    page.get_by_role("switch").press("Space")
    expect(page.get_by_text("It is off")).to_be_visible()
    made = platform.http.get("triggers/?workflow=hello").json()["results"]
    trigger = next(one for one in made if one["name"] == name)
    assert trigger["enabled"] is False
    assert trigger["config"]["timezone"] == "Europe/Berlin"
    assert trigger["params"] == {"name": "Ada"}
