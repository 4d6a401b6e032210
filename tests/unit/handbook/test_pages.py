"""What the documentation shows, runs: here the pages that need no platform, and what holds for all of them.

The others run in tests/integration/platform/test_pages.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from agentainer_flow.cli.main import build_parser
from handbook.reference.command_line import PLATFORM, platform_parser, verbs
from tests.snippets.fences import KNOWN, ROOT, RUN, commands, fences, is_live, pages
from tests.snippets.running import PageRun

# Blocks that cannot run here, by page. Each says why, above the block.
EXEMPT = {"docs/howto/own-agents.md": 1, "docs/howto/swarm.md": 1}
PLAIN = [page for page in pages() if not is_live(page)]


@pytest.mark.parametrize("page", PLAIN)
def test_what_the_page_shows_runs(page: str, tmp_path: Path) -> None:
    PageRun(page, tmp_path, None).run()


def test_every_exemption_is_counted() -> None:
    found = {page: sum(one.exempt is not None for one in fences(page)) for page in pages()}

    assert {page: number for page, number in found.items() if number} == EXEMPT


@pytest.mark.parametrize("page", pages())
def test_every_block_says_its_language(page: str) -> None:
    unknown = [one.where for one in fences(page) if one.language not in KNOWN]

    assert unknown == [], f"known are {', '.join(KNOWN)}"
    assert not [one.where for one in fences(page) if one.exempt is not None and one.language not in RUN]


@pytest.mark.parametrize("page", pages())
def test_no_block_hides_from_the_tests(page: str) -> None:
    """Fences that are indented, as inside of notes, are code to readers and plain text to the parser."""
    marks = [line for line in (ROOT / page).read_text("utf-8").splitlines() if line.strip().startswith("```")]

    assert len(marks) == 2 * len(fences(page))


@pytest.mark.parametrize("page", [page for page in pages() if commands(page)])
def test_commands_in_the_text_are_there_with_their_flags(page: str) -> None:
    client = dict(verbs(build_parser()))
    for command in commands(page):
        words = command.split()[1:]
        if words[0] in PLATFORM:
            parser = platform_parser(words[0])
        else:
            named = [name for name in (words[0], " ".join(words[:2])) if name in client]
            assert named, f"{page}: there is no {command}"
            parser = client[named[0]]
        known = {flag for action in parser._actions for flag in action.option_strings}
        assert {word for word in words if word.startswith("-")} <= known, f"{page}: {command}"
