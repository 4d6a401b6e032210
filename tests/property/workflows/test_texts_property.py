"""Reading what was written gives the same document, whatever is in it."""

from __future__ import annotations

import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aflow_site.api.parsers import JSONParser, YAMLParser
from workflows.domain.differences import changes_between, same
from workflows.domain.texts import as_json, as_yaml, unified_diff

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
TRICKY = ["\n", " ", "\t", "#", "- ", ": ", "'", '"', "\\", "|", ">", "%", "${a}", "é", "\u2028", "\x85"]
MORE = ["\r", "\ufeff", "---", "...", "yes", "null", "~", "1:30", "0x1F", "1e3", "2026-01-01", "<<", "="]
TEXTS = st.text(CHARACTERS, max_size=20) | st.lists(st.sampled_from(TRICKY + MORE), max_size=8).map("".join)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
CODE = st.lists(st.sampled_from(["def main():", "    return 1", "", "  ", "\tx", "# é"]), max_size=6).map(
    "\n".join
)
STEPS = st.fixed_dictionaries(
    {"id": st.from_regex(r"[a-z]{1,3}", fullmatch=True)},
    optional={
        "run": st.fixed_dictionaries({"code": CODE}),
        "input": VALUES,
        "type": st.just("task"),
        "other": VALUES,
    },
)
DOCUMENTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"name": TEXTS, "steps": st.lists(STEPS, max_size=3)},
    optional={"params": VALUES, "description": TEXTS, "layout": VALUES, "output": VALUES},
)


@given(DOCUMENTS)
def test_yaml_is_lossless(document: dict[str, Any]) -> None:
    text = as_yaml(document)
    assert same(YAMLParser().parse(io.BytesIO(text.encode())), document)


@given(DOCUMENTS)
def test_json_is_lossless(document: dict[str, Any]) -> None:
    assert same(JSONParser().parse(io.BytesIO(as_json(document).encode())), document)


@given(DOCUMENTS, DOCUMENTS)
def test_equal_documents_and_only_they_have_no_differences(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert changes_between(one, one) == []
    assert unified_diff(one, one, ("a", "b")) == ""
    assert (changes_between(one, other) == []) is same(one, other)
