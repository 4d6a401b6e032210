"""Tables that people wrote say the same as the code."""

from __future__ import annotations

import json
import re
from dataclasses import fields

from agentainer_flow.cli.main import build_parser
from handbook.building import PAGES, ROOT, WRITTEN
from handbook.reference.command_line import PLATFORM, verbs
from handbook.reference.rest import operations
from pools.domain.settings import PRESETS, Settings
from scaling.domain.policies import Policy
from tests.snippets.fences import pages

# Set by `up` for its own processes: nobody else has a reason to.
OWN = {"AFLOW_PORT", "AFLOW_REDIS_PORT"}


def names_in(page: str, column: int = 0) -> set[str]:
    """What stands between backticks in a column of the page's tables."""
    found: set[str] = set()
    for line in (WRITTEN / "reference" / page).read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            found |= set(re.findall(r"`([^`]+)`", line.split("|")[column + 1]))
    return found


def test_every_setting_is_told_of_and_there_is_no_other() -> None:
    sources = [
        *(ROOT / "aflow_site" / "settings").glob("*.py"),
        ROOT / "aflow_site/supervision/environment.py",
    ]
    text = "".join(file.read_text(encoding="utf-8") for file in sources)
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', text)) | {"AFLOW_HOST"}

    assert "AFLOW_HOST" in text
    told = names_in("settings.md") - {"AGENTAINER_URL", "AGENTAINER_TOKEN", "DOCKER_HOST"}
    assert told == read - OWN


def test_every_setting_of_a_pool_is_told_of() -> None:
    known = {field.name for field in fields(Settings)} | {"preset", "price", "shares", "weight"}

    assert names_in("pools.md") >= known
    assert names_in("pools.md") - known <= set(PRESETS)


def test_every_field_of_a_policy_is_told_of() -> None:
    told = names_in("policies.md") | names_in("policies.md", 2)

    assert {field.name for field in fields(Policy)} <= told


def test_every_verb_and_every_address_has_a_section() -> None:
    command_line, rest = PAGES["command-line.md"](), PAGES["rest.md"]()

    assert all(f"### ./aflow {verb}\n" in command_line for verb in PLATFORM)
    assert all(f"### aflow {words}\n" in command_line for words, _ in verbs(build_parser()))
    for path, method, _ in operations():
        assert f"### {method.upper()} {path.removeprefix('/api/v1')}\n" in rest


def test_the_launcher_hands_over_the_verbs_of_the_reference() -> None:
    launcher = (ROOT / "aflow").read_text(encoding="utf-8")
    handed = re.search(r"^(up \|.*)\)$", launcher, re.MULTILINE)

    assert handed is not None
    assert set(handed[1].split(" | ")) == set(PLATFORM)
    assert all(f"./aflow {verb} " in launcher for verb in PLATFORM)


def test_made_pages_tell_of_every_shape() -> None:
    document, shapes = PAGES["document.md"](), PAGES["shapes.md"]()

    for page in (document, shapes, PAGES["rest.md"]()):
        assert "](#)" not in page
    links = set(re.findall(r"\(shapes\.md#([a-z]+)\)", PAGES["rest.md"]()))
    assert links <= {name.lower() for name in re.findall(r"^## (\w+)$", shapes, re.MULTILINE)}
    assert "| `over` |" in document
    assert json.dumps("fail_fast") in document


def test_every_reason_of_waiting_is_told_of() -> None:
    source = (ROOT / "workflows" / "selectors" / "waiting.py").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| (`[a-z_`, ]+`) \|", (WRITTEN / "howto" / "why.md").read_text("utf-8"), re.MULTILINE
    )

    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert told == set(re.findall(r'_reason\(\s*"(\w+)"', source))


def test_every_key_of_the_canvas_is_told_of() -> None:
    actions = ROOT / "frontend" / "src" / "canvas" / "actions"
    source = "".join(file.read_text(encoding="utf-8") for file in sorted(actions.glob("*.ts")))
    keys = {
        label: hotkey.replace("mod", "Ctrl").replace("shift", "Shift").replace("+", " ")
        for label, hotkey in re.findall(r'label: "([^"]+)",(?:\n.*){0,2}?\n\s*hotkey: "([^"]+)"', source)
    }
    page = (WRITTEN / "howto" / "designer.md").read_text(encoding="utf-8")

    assert len(keys) > 8
    assert {
        label: key for key, label in re.findall(r"^\| ([A-Z][\w ]*) \| ([A-Z][\w ]+) \|$", page, re.MULTILINE)
    } == keys


def test_no_page_tells_of_a_setting_that_is_not_there() -> None:
    known = names_in("settings.md") | {"AFLOW_TEST_BROWSER"}
    for page in ["README.md", *(file for file in pages() if file.startswith("docs/"))]:
        text = (ROOT / page).read_text(encoding="utf-8")
        assert set(re.findall(r"`(AFLOW_[A-Z_]+)(?:=\w+)?`", text)) <= known, page


def test_the_readme_is_short_and_leads_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert len(text.splitlines()) < 150
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert len(links) > 30
    assert [link for link in links if not (ROOT / link).exists()] == []
