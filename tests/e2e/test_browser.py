"""What a person does in the browser, with mouse and keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.live_platform import ROOT, LivePlatform

pytestmark = [pytest.mark.browser, pytest.mark.docker]

Picture = Callable[[str], None]


def add_step(page: Page, kind: str) -> None:
    page.get_by_role("button", name="Add step").first.click()
    page.get_by_role("listbox").get_by_role("option", name=re.compile(f"^{kind}")).click()


def connect(page: Page, source: str, target: str) -> None:
    """Drags from the right port of one node to the left port of another."""
    start = page.locator(f'[data-id="{source}"] .react-flow__handle.source').bounding_box()
    end = page.locator(f'[data-id="{target}"] .react-flow__handle.target').bounding_box()
    assert start
    assert end
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(end["x"] + end["width"] / 2, end["y"] + end["height"] / 2, steps=12)
    page.mouse.up()


def install(platform: LivePlatform, example: str) -> None:
    answer = platform.http.post(
        "workflows/",
        content=(ROOT / "examples" / f"{example}.yaml").read_bytes(),
        headers={"Content-Type": "application/yaml"},
    )
    assert answer.status_code in (201, 409), answer.text


def test_a_wrong_password_is_told(page: Page) -> None:
    page.context.clear_cookies()
    page.goto("/login/")
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.goto("/pools")
    expect(page).to_have_url(re.compile("/login/"))


@pytest.mark.parametrize("part", ["main-*.js", "main-*.css"])
def test_a_part_that_was_dropped_is_fetched_again(page: Page, part: str) -> None:
    """Chromium drops what it fetches when a network interface comes or goes: each container brings one."""
    dropped: list[str] = []

    def drop(route: Route) -> None:
        dropped.append(route.request.url)
        if len(dropped) > 2:
            route.continue_()
        else:
            route.abort("internetdisconnected")

    page.route(f"**/assets/{part}", drop)
    page.goto("/pools")
    expect(page.get_by_role("link", name="Workflows").first).to_be_visible()
    page.wait_for_function("!sessionStorage.getItem('starts')")
    assert len(dropped) == 3


@pytest.mark.parametrize("part", ["main-*.js", "main-*.css"])
def test_a_part_that_is_never_sent_is_told(page: Page, part: str) -> None:
    asked: list[str] = []

    def drop(route: Route) -> None:
        asked.append(route.request.url)
        route.abort("internetdisconnected")

    page.route(f"**/assets/{part}", drop)
    page.goto("/pools")
    expect(page.get_by_role("heading", name="The application could not be fetched")).to_be_visible()
    expect(page.get_by_text(asked[0])).to_be_visible()
    assert len(asked) == 6


def test_draw_two_steps_save_run_and_see_them_finish(page: Page, picture: Picture) -> None:
    page.get_by_role("link", name="Workflows").first.click()
    page.get_by_role("button", name="New workflow").first.click()
    page.get_by_label("Name").fill("drawn-by-hand")
    page.get_by_role("button", name="Create").click()
    expect(page).to_have_url(re.compile("/workflows/drawn-by-hand"))
    add_step(page, "Task")
    add_step(page, "Task")
    nodes = page.locator(".react-flow__node")
    expect(nodes).to_have_count(2)
    ids = [str(nodes.nth(index).get_attribute("data-id")) for index in range(2)]
    connect(page, ids[0], ids[1])
    expect(page.locator(".react-flow__edge")).to_have_count(1)
    picture("designer")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Unsaved changes", exact=True)).to_have_count(0, timeout=15_000)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page).to_have_url(re.compile("/runs/"), timeout=15_000)
    status = page.get_by_role("status").filter(has_text=re.compile("^(pending|running|completed)$"))
    expect(status.first).to_have_text("completed", timeout=30_000)
    for step in ids:
        expect(page.locator(f'[aria-label*="{step}"][aria-label*="completed"]').first).to_be_visible()
    picture("run-two-steps")


def test_the_document_that_was_drawn_is_the_one_that_was_saved(page: Page, platform: LivePlatform) -> None:
    document = platform.http.get("workflows/drawn-by-hand/").json()["document"]
    assert len(document["steps"]) == 2
    assert document["steps"][1]["needs"] == [document["steps"][0]["id"]]


def test_pool_utilization_moves_while_the_example_runs(
    page: Page, platform: LivePlatform, picture: Picture
) -> None:
    install(platform, "code-census")
    page.get_by_role("link", name="Pools").first.click()
    pool = page.get_by_role("region", name="code-census-count")
    expect(pool).to_be_visible(timeout=30_000)
    for figure in ("free", "active", "waiting"):
        expect(pool.get_by_text(figure, exact=True).first).to_be_visible()
    active = pool.locator("div", has=page.locator("dt", has_text=re.compile("^active$"))).locator("dd").last
    expect(active).to_have_text("0")
    answer = platform.http.post("workflows/code-census/runs/", json={})
    assert answer.status_code == 201, answer.text
    expect(active).to_have_text(re.compile("^[1-9]"), timeout=20_000)
    picture("pools")
    page.goto(f"/runs/{answer.json()['id']}")
    expect(page.get_by_role("status").filter(has_text="completed").first).to_be_visible(timeout=60_000)
    picture("run")
    page.get_by_role("link", name="Pools").first.click()
    expect(active).to_have_text("0", timeout=20_000)


def test_run_with_a_params_form(page: Page, platform: LivePlatform) -> None:
    install(platform, "hello")
    page.goto("/workflows/hello")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("dialog").get_by_label(re.compile("name", re.IGNORECASE)).first.fill("Ada")
    page.get_by_role("dialog").get_by_role("button", name="Run").click()
    expect(page.get_by_role("status").filter(has_text="completed").first).to_be_visible(timeout=30_000)
    expect(page.get_by_text("Ada").first).to_be_visible()


def test_a_failed_step_tells_what_to_look_at(page: Page, platform: LivePlatform) -> None:
    step = {"id": "breaks", "type": "task", "run": {"code": "def main():\n    return {}['missing']\n"}}
    platform.http.post("workflows/", json={"name": "fails-always", "steps": [step]})
    run = platform.http.post("workflows/fails-always/runs/", json={}).json()
    page.goto(f"/runs/{run['id']}")
    expect(page.get_by_role("status").filter(has_text="failed").first).to_be_visible(timeout=30_000)
    expect(page.get_by_text("KeyError").first).to_be_visible()


def test_sizes_of_a_pool_are_changed_in_place(page: Page, platform: LivePlatform) -> None:
    platform.http.post("pools/", json={"name": "by-hand", "min_size": 0, "max_size": 3})
    page.goto("/pools")
    pool = page.get_by_role("region", name="by-hand")
    expect(pool).to_be_visible()
    pool.get_by_role("button", name=re.compile("size", re.IGNORECASE)).first.click()
    page.get_by_label(re.compile("max", re.IGNORECASE)).last.fill("4")
    with page.expect_response(lambda answer: answer.url.endswith("/resize/")):
        page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_text("4").first).to_be_visible()
    assert platform.http.get("pools/by-hand/").json()["max_size"] == 4
