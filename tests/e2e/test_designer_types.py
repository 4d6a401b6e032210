"""Steps of every type, drawn by mouse; versions compared and restored; steps tried alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.e2e.test_browser import connect
from tests.live_platform import LivePlatform

pytestmark = [pytest.mark.browser, pytest.mark.docker]

Picture = Callable[[str], None]
WORDS = ["Task", "Map", "Reduce", "Map-reduce", "Branch", "Loop", "Sub-workflow", "Approval", "Wait"]


def open_new(
    page: Page, platform: LivePlatform, name: str, steps: list[dict[str, Any]] | None = None
) -> None:
    answer = platform.http.post("workflows/", json={"name": name, "steps": steps or []})
    assert answer.status_code == 201, answer.text
    page.goto(f"/workflows/{name}")
    expect(page.get_by_role("button", name="Add step").first).to_be_visible(timeout=30_000)


def add(page: Page, word: str) -> None:
    page.get_by_role("button", name="Add step").first.click()
    page.get_by_role("listbox").get_by_role("option", name=word, exact=True).click()


def node(page: Page, step: str) -> Locator:
    return page.locator(f'.react-flow__node[data-id="{step}"]')


def unselect(page: Page) -> None:
    """What is selected stands before others: nothing is, and everything is in view."""
    page.get_by_role("button", name="Fit to view").first.click()
    page.wait_for_timeout(400)


def save(page: Page) -> None:
    # The button cannot be pressed while it saves either: what is saved is no longer called unsaved.
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Unsaved changes", exact=True)).to_have_count(0, timeout=15_000)


def document_of(platform: LivePlatform, name: str) -> dict[str, Any]:
    document: dict[str, Any] = platform.http.get(f"workflows/{name}/").json()["document"]
    return document


def task(step: str, **fields: Any) -> dict[str, Any]:
    return {"id": step, "type": "task", "run": {"code": f"def main():\n    return {step!r}\n"}, **fields}


def test_the_palette_offers_every_type_and_finds_them(page: Page, platform: LivePlatform) -> None:
    open_new(page, platform, "types-palette")
    page.get_by_role("button", name="Add step").first.click()
    options = page.get_by_role("listbox").get_by_role("option")
    expect(options).to_have_count(len(WORDS))
    for word in WORDS:
        expect(page.get_by_role("option", name=word, exact=True)).to_be_attached()
    page.keyboard.type("deadline")
    expect(options).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(node(page, "approval")).to_have_attribute("aria-label", re.compile("approval"))


def test_a_branch_with_two_targets_drawn_by_mouse_runs(
    page: Page, platform: LivePlatform, picture: Picture
) -> None:
    open_new(page, platform, "drawn-branch")
    for word in ("Branch", "Task", "Task"):
        add(page, word)
    unselect(page)
    connect(page, "branch", "task")
    expect(page.locator(".react-flow__edge")).to_have_count(1)
    connect(page, "branch", "task_2")
    # The second edge took the way that led nowhere yet; the menu could have changed that.
    menu = page.get_by_role("menu")
    expect(menu.get_by_role("menuitem", name=re.compile("^Case 1"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".react-flow__edge")).to_have_count(2)
    expect(page.get_by_text("else", exact=True)).to_be_visible()
    picture("designer-branch")
    save(page)
    branch = document_of(platform, "drawn-branch")["steps"][0]
    assert branch == {
        "id": "branch",
        "type": "branch",
        "cases": [{"when": True, "then": ["task"]}],
        "else": ["task_2"],
    }
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page).to_have_url(re.compile("/runs/"), timeout=15_000)
    run = page.url.split("/runs/")[1].split("?")[0]
    expect(page.get_by_role("status").filter(has_text="completed").first).to_be_visible(timeout=60_000)
    states = {step["id"]: step["state"] for step in platform.http.get(f"runs/{run}/steps/").json()["results"]}
    assert states == {"branch": "completed", "task": "completed", "task_2": "skipped"}


def test_a_command_is_written_and_runs(page: Page, platform: LivePlatform, picture: Picture) -> None:
    open_new(page, platform, "drawn-command")
    add(page, "Task")
    page.get_by_text("Command", exact=True).click()
    page.get_by_role("textbox", name="Command of task").fill("echo counting >&2; wc -c")
    expect(node(page, "task")).to_contain_text("$ echo counting >&2; wc -c")
    picture("designer-command")
    save(page)
    (step,) = document_of(platform, "drawn-command")["steps"]
    assert step["run"] == {"command": "echo counting >&2; wc -c"}
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page).to_have_url(re.compile("/runs/"), timeout=15_000)
    run = page.url.split("/runs/")[1].split("?")[0]
    expect(page.get_by_role("status").filter(has_text="completed").first).to_be_visible(timeout=60_000)
    assert platform.http.get(f"runs/{run}/").json()["output"] == len("null\n")


def test_an_approval_is_drawn_and_waits_for_somebody(page: Page, platform: LivePlatform) -> None:
    open_new(page, platform, "drawn-approval")
    add(page, "Approval")
    page.get_by_label("Prompt").fill("Shall it go out?")
    page.get_by_role("button", name="Add a form").click()
    save(page)
    step = document_of(platform, "drawn-approval")["steps"][0]
    assert step["prompt"] == "Shall it go out?"
    assert step["form"]["properties"] == {"note": {"type": "string", "title": "Note"}}
    assert "approvers" not in step  # operators are the standard
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page).to_have_url(re.compile("/runs/"), timeout=15_000)
    run = page.url.split("/runs/")[1].split("?")[0]
    expect(page.locator('[aria-label*="approval"][aria-label*="waiting"]').first).to_be_visible(
        timeout=30_000
    )
    decided = platform.http.post(f"runs/{run}/steps/approval/decide/", json={"approve": True, "data": {}})
    assert decided.status_code == 202, decided.text
    expect(page.get_by_role("status").filter(has_text="completed").first).to_be_visible(timeout=30_000)


def test_steps_are_added_and_connected_inside_a_loop(
    page: Page, platform: LivePlatform, picture: Picture
) -> None:
    open_new(page, platform, "drawn-loop")
    add(page, "Loop")
    page.get_by_role("button", name="Open loop loop").click()
    path = page.get_by_role("navigation", name="Loops")
    expect(path.get_by_role("button", name="loop")).to_be_visible()
    expect(node(page, "work")).to_be_visible()
    add(page, "Task")
    unselect(page)
    connect(page, "work", "task")
    expect(page.locator(".react-flow__edge")).to_have_count(1)
    picture("designer-loop")
    page.go_back()  # going into a loop is a step of the browser's history
    expect(node(page, "loop")).to_be_visible()
    save(page)
    loop = document_of(platform, "drawn-loop")["steps"][0]
    assert [(step["id"], step.get("needs")) for step in loop["steps"]] == [("work", None), ("task", ["work"])]
    run = platform.http.post("workflows/drawn-loop/runs/", json={}).json()
    page.goto(f"/runs/{run['id']}")
    expect(page.get_by_role("status").filter(has_text="completed").first).to_be_visible(timeout=60_000)


def test_a_step_is_tried_alone_before_it_is_saved(
    page: Page, platform: LivePlatform, picture: Picture
) -> None:
    code = "def main(name):\n    print('greeting', name)\n    return {'hello': name}\n"
    steps = [task("first"), {"id": "greet", "type": "task", "needs": ["first"], "run": {"code": code}}]
    open_new(page, platform, "tried", steps)
    node(page, "greet").click()
    page.get_by_role("button", name="Try step").click()
    drawer = page.get_by_role("dialog")
    editor = drawer.get_by_label("Pinned input")
    expect(editor).to_contain_text('"name": null')
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text('{"name": "Ada"}')
    drawer.get_by_role("button", name="Run step").click()
    result = drawer.get_by_role("region", name="Result of the trial")
    expect(result.get_by_role("status")).to_have_text("completed", timeout=30_000)
    expect(result.get_by_label("output", exact=True)).to_contain_text("Ada")
    expect(result).to_contain_text("greeting Ada", timeout=15_000)
    picture("designer-try")
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text('{"nobody": 1}')
    drawer.get_by_role("button", name="Run step").click()
    expect(result.get_by_role("alert")).to_contain_text("TypeError", timeout=30_000)
    drawer.get_by_role("link", name="Open the run").click()
    expect(page).to_have_url(re.compile("/runs/"))


def test_versions_are_compared_and_an_old_one_is_restored(
    page: Page, platform: LivePlatform, picture: Picture
) -> None:
    open_new(page, platform, "restored", [task("kept"), task("dropped")])
    node(page, "dropped").click()
    page.keyboard.press("Delete")
    add(page, "Wait")
    save(page)
    page.get_by_role("button", name="Versions").click()
    page.get_by_role("menuitem", name="Compare versions").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("1 step added, 1 step removed")).to_be_visible()
    expect(dialog.get_by_role("region", name="wait")).to_be_visible()
    picture("designer-compare")
    dialog.get_by_text("Text", exact=True).click()
    expect(dialog.get_by_text("id: wait")).to_be_visible()
    dialog.get_by_role("button", name="Restore version 1").click()
    expect(node(page, "dropped")).to_be_visible()
    expect(page.get_by_text("Version 3", exact=True)).to_be_visible()
    assert [step["id"] for step in document_of(platform, "restored")["steps"]] == ["kept", "dropped"]


def test_a_refused_save_shows_what_the_other_changed(page: Page, platform: LivePlatform) -> None:
    open_new(page, platform, "conflict", [task("one")])
    theirs = {"name": "conflict", "steps": [task("one"), task("theirs")]}
    saved = platform.http.put("workflows/conflict/", json=theirs, headers={"If-Match": '"1"'})
    assert saved.status_code == 200, saved.text
    add(page, "Wait")
    page.get_by_role("button", name="Save", exact=True).click()
    dialog = page.get_by_role("dialog", name="Someone saved a newer version")
    expect(dialog.get_by_role("region", name="theirs", exact=True)).to_be_visible()
    dialog.get_by_role("button", name="Take theirs").click()
    expect(node(page, "theirs")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(node(page, "wait")).to_be_visible()


def test_text_that_is_no_document_is_not_lost(page: Page, platform: LivePlatform) -> None:
    open_new(page, platform, "unreadable", [task("one")])
    page.get_by_text("Document", exact=True).click()
    editor = page.get_by_label("Workflow document")
    editor.click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("half a thought")
    page.get_by_text("Canvas", exact=True).click()
    dialog = page.get_by_role("dialog", name="This text is no document yet")
    dialog.get_by_role("button", name="Leave it as a draft").click()
    expect(node(page, "one")).to_be_visible()
    page.get_by_role("link", name="Runs").first.click()
    leaving = page.get_by_role("dialog", name="Leave with unsaved changes?")
    leaving.get_by_role("button", name="Leave", exact=True).click()
    expect(page).to_have_url(re.compile("/runs"))
    page.goto("/workflows/unreadable?tab=document")
    expect(page.get_by_label("Workflow document")).to_contain_text("half a thought", timeout=15_000)


def test_a_document_is_imported_as_a_new_version(page: Page, platform: LivePlatform) -> None:
    open_new(page, platform, "imported")
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name=re.compile("^Import")).click()
    dialog = page.get_by_role("dialog", name="Import")
    dialog.get_by_label("Document to import").click()
    page.keyboard.insert_text("name: elsewhere\nsteps:\n  - {id: nap, type: wait, duration: 1s}\n")
    expect(dialog.get_by_role("status")).to_contain_text("1 step")
    dialog.get_by_role("button", name="Save as a new version").click()
    expect(node(page, "nap")).to_be_visible()
    expect(page.get_by_text("Version 2", exact=True)).to_be_visible()
    assert document_of(platform, "imported")["name"] == "imported"


@pytest.mark.parametrize("width", [820, 390])
def test_a_narrow_window_keeps_everything_in_reach(
    page: Page, platform: LivePlatform, picture: Picture, width: int
) -> None:
    open_new(page, platform, f"narrow-{width}", [task("one")])
    page.set_viewport_size({"width": width, "height": 820})
    for name in ("Versions", "More", "Save", "Run", "Add step"):
        button = page.get_by_role("button", name=name, exact=True).first
        expect(button).to_be_in_viewport(ratio=1)
        label = button.locator(".mantine-Button-label")
        if label.count() and label.is_visible():
            assert label.evaluate("label => label.scrollWidth <= label.clientWidth"), f"{name} is cut"
    node(page, "one").click()
    page.get_by_role("button", name="Fields", exact=True).click()
    expect(page.get_by_label("ID", exact=True)).to_be_in_viewport()
    picture(f"designer-{width}")
    page.get_by_role("button", name="Close the inspector").click()
    expect(node(page, "one")).to_be_in_viewport()


def test_a_viewer_sees_why_nothing_can_be_changed(
    page: Page, platform: LivePlatform, picture: Picture
) -> None:
    open_new(page, platform, "looked-at", [task("one")])

    def as_viewer(route: Route) -> None:
        body = route.fetch().json()
        body["team"]["role"] = "viewer"
        route.fulfill(json=body)

    page.route("**/api/v1/me/", as_viewer)
    page.goto("/workflows/looked-at?step=one")
    expect(page.get_by_role("note")).to_contain_text("You are a viewer", timeout=15_000)
    for name in ("Save", "Run", "Add step"):
        expect(page.get_by_role("button", name=name, exact=True).first).to_be_disabled()
    expect(page.get_by_label("ID", exact=True)).to_be_disabled()
    expect(page.get_by_role("button", name="Try step")).to_have_count(0)
    picture("designer-viewer")
