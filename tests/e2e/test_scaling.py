"""Why a pool has the size that it has, and how one changes what decides it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.live_platform import LivePlatform

pytestmark = [pytest.mark.browser, pytest.mark.docker]


def test_a_decision_is_explained_replayed_and_its_policy_changed(
    page: Page, platform: LivePlatform, picture: Callable[[str], None]
) -> None:
    platform.http.post("pools/", json={"name": "explained", "min_size": 0, "max_size": 3})
    made = platform.http.post("policies/", json={"pool": "explained", "preset": "reactive"})
    assert made.status_code == 201, made.text
    # Until the scaler has looked at the new pool, its own demand makes its agents.
    while not platform.http.get("decisions/?pool=explained").json()["results"]:
        page.wait_for_timeout(200)
    lease = platform.http.post("pools/explained/leases/", json={"timeout": 60})
    assert lease.status_code == 201, lease.text
    page.get_by_role("link", name="Scaling").first.click()
    page.get_by_role("link", name="explained").click()
    decisions = page.get_by_role("table", name="Decisions")
    decisions.get_by_role("button", name=re.compile("from 0 to")).last.click(timeout=30_000)
    dialog = page.get_by_role("dialog", name=re.compile("^Decision"))
    expect(page).to_have_url(re.compile("decision="))
    dialog.get_by_role("button", name="Replay").click()
    expect(dialog.get_by_role("status")).to_contain_text("The same decision: up", timeout=15_000)
    page.go_back()
    expect(dialog).to_have_count(0)
    picture("scaling")
    page.get_by_role("button", name="Edit policy").click()
    page.get_by_label("Maximum", exact=True).fill("2")
    page.get_by_role("radio", name="Shadow").locator("xpath=following-sibling::label").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Policy reactive, 1 field set")).to_be_visible(timeout=15_000)
    policy = platform.http.get("policies/?pool=explained").json()["results"][0]
    assert (policy["values"], policy["mode"]) == ({"max": 2}, "shadow")
    platform.http.delete(f"leases/{lease.json()['token']}/")
