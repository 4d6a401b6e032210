from __future__ import annotations

import pytest

from pools.domain.problems import last_words


@pytest.mark.parametrize(
    ("logs", "words"),
    [
        ("", ""),
        (" \n\n", ""),
        ("one\ntwo\n\n", "two"),
        ("a long line", "a long"),
        ("\0x\0", "\ufffdx\ufffd"),  # PostgreSQL stores no NUL
    ],
)
def test_last_words(logs: str, words: str) -> None:
    assert last_words(logs, longest=6) == words
