"""A real Chromium on a real platform. Pictures go to test-results/, or to the directory AFLOW_SCREENSHOTS."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.live_platform import ROOT, LivePlatform

QUIET = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, platform: LivePlatform) -> Iterator[Page]:
    """A signed-in person's page. What the page logs as an error fails the test."""
    context = browser.new_context(
        base_url=platform.url, viewport={"width": 1440, "height": 900}, reduced_motion="reduce"
    )
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto("/")
    page.get_by_label("Username").fill(platform.credentials["username"])
    page.get_by_label("Password").fill(platform.credentials["password"])
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Workflows").first.wait_for(timeout=90_000)  # the first load is a cold one
    yield page
    context.close()
    assert not faults, faults


@pytest.fixture
def picture(page: Page) -> Callable[[str], None]:
    directory = Path(os.environ.get("AFLOW_SCREENSHOTS") or ROOT / "test-results")
    directory.mkdir(parents=True, exist_ok=True)

    def take(name: str) -> None:
        page.screenshot(path=directory / f"{name}.png")

    return take
