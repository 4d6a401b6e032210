"""Whatever document comes in, the answer is its faults or a saved version: never a 500, never a hang."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from teams.facade.contracts import Role
from tests.factories.documents import documents
from tests.factories.members import Api, member
from workflows.domain.validation import check_document

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=600)
@given(documents())
def test_every_document_of_the_schema_is_read_or_its_faults_are_told(document: dict[str, Any]) -> None:
    read, faults = check_document(document)
    assert read is not None or faults
    for fault in faults:
        assert fault.message
        assert "Traceback" not in fault.message


@settings(max_examples=300)
@given(JUNK)
def test_so_is_anything_else(value: Any) -> None:
    read, faults = check_document(value)
    assert faults or (read is not None and read.name == value["name"])


@pytest.fixture
def api() -> Api:
    return member(Role.OPERATOR)


@pytest.mark.django_db
@pytest.mark.database
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=documents())
def test_over_http_it_is_checked_and_saved_or_refused(api: Api, document: dict[str, Any]) -> None:
    checked = api("POST", "workflows/validate/", document)
    saved = api("POST", "workflows/", document)
    told = (checked.content, saved.content, json.dumps(document))
    if checked.status_code == 400:  # no JSON that can be kept, such as a number with 400 digits
        assert saved.status_code == 400, told
        return
    assert checked.status_code == 200, told
    assert saved.status_code in ((201, 409) if checked.json()["valid"] else (400,)), told
