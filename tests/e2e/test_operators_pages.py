"""What operators see of machines, alerts and forecasts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.live_platform import LivePlatform

pytestmark = [pytest.mark.browser, pytest.mark.docker]


def test_groups_alerts_and_forecasts_have_their_places(
    page: Page, platform: LivePlatform, picture: Callable[[str], None]
) -> None:
    platform.http.post("pools/", json={"name": "foreseen", "min_size": 0, "max_size": 3})
    made = platform.http.post("policies/", json={"pool": "foreseen", "prediction": "on"})
    assert made.status_code == 201, made.text

    page.goto("/nodes")
    groups = page.get_by_role("region", name="Node groups")
    expect(groups.get_by_role("paragraph").filter(has_text="AFLOW_RUNTIME=swarm")).to_be_visible(
        timeout=30_000
    )
    expect(groups.get_by_role("button", name="New group")).to_be_disabled()

    page.goto("/settings?tab=alerts")
    page.get_by_role("button", name="Add channel").click(timeout=30_000)
    page.get_by_role("radio", name="Webhook").locator("xpath=following-sibling::label").click()
    page.get_by_label("Name", exact=True).fill("desk")
    page.get_by_label("Address", exact=True).fill("https://desk.invalid/alerts")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="I have it").click(timeout=15_000)
    channel = page.get_by_role("listitem", name="desk")
    expect(channel).to_contain_text("No alert was sent to it yet.")
    channel.get_by_role("button", name="Test desk").click()
    expect(channel.get_by_role("alert")).to_contain_text("The test was not delivered.", timeout=30_000)
    picture("alerts")
    channel.get_by_role("button", name="Remove desk").click()
    page.get_by_role("button", name="Remove channel").click()
    expect(channel).to_have_count(0, timeout=15_000)

    page.goto("/scaling/foreseen")
    forecast = page.get_by_role("region", name="Forecast")
    expect(forecast).to_contain_text(re.compile("not heeded: "), timeout=30_000)
