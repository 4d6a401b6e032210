"""Secrets: kept sealed, shown to nobody, opened for agents alone."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from teams.facade import api as teams
from teams.facade.contracts import Role
from teams.models import AuditEntry
from tests.factories.members import Api, assert_problem, member

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def admin() -> Api:
    return member(Role.ADMIN)


def test_the_life_of_a_secret(admin: Api) -> None:
    assert admin("PUT", "secrets/API_KEY/", {"value": " s3cret\n"}).status_code == 201
    assert admin("PUT", "secrets/API_KEY/", {"value": "other ü"}).status_code == 200
    answer = admin("GET", "secrets/")
    (shown,) = answer.json()["results"]
    assert set(shown) == {"name", "author", "changed_at"}
    assert shown["name"] == "API_KEY"
    assert teams.secret_values(admin.team.pk, {"API_KEY", "ELSE"}) == {"API_KEY": "other ü"}
    assert admin("DELETE", "secrets/API_KEY/").status_code == 204
    assert_problem(admin("DELETE", "secrets/API_KEY/"), 404, "not_found")
    assert teams.secret_values(admin.team.pk, {"API_KEY"}) == {}


def test_values_are_nowhere_to_be_read(admin: Api) -> None:
    admin("PUT", "secrets/API_KEY/", {"value": "s3cret-value"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT sealed FROM teams_secret")
        assert "s3cret-value" not in str(cursor.fetchall())
    entries = [str([entry.action, entry.target, entry.details]) for entry in AuditEntry.objects.all()]
    assert any("secret.set" in entry and "secret/API_KEY" in entry for entry in entries)
    assert not any("s3cret-value" in entry for entry in entries)


def test_another_key_opens_nothing(admin: Api, settings: Any) -> None:
    admin("PUT", "secrets/API_KEY/", {"value": "s3cret"})
    settings.SECRET_KEY = "another key of this installation, as long as it must be at least"
    with pytest.raises(teams.SecretLost, match="API_KEY was sealed under another SECRET_KEY"):
        teams.secret_values(admin.team.pk, {"API_KEY"})


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("1A", "x", "name"),
        ("a-b", "x", "name"),
        ("AGENTAINER_TOKEN", "x", "name"),
        ("A", "", "value"),
        ("A", "x" * 32_769, "value"),
    ],
)
def test_what_cannot_be_kept(admin: Api, name: str, value: str, path: str) -> None:
    answer = admin("PUT", f"secrets/{name}/", {"value": value})
    assert answer.status_code == 400
    assert path in {fault["path"] for fault in answer.json()["errors"]}


def test_who_may(admin: Api) -> None:
    admin("PUT", "secrets/API_KEY/", {"value": "x"})
    editor = member(Role.EDITOR, name="editor")
    viewer = member(Role.VIEWER, name="viewer")
    assert editor("GET", "secrets/").status_code == 200
    assert_problem(viewer("GET", "secrets/"), 403, "not_allowed")
    assert_problem(editor("PUT", "secrets/API_KEY/", {"value": "y"}), 403, "not_allowed")
    assert_problem(editor("DELETE", "secrets/API_KEY/"), 403, "not_allowed")
    stranger = member(Role.ADMIN, "others")
    assert stranger("GET", "secrets/").json()["results"] == []
    assert_problem(stranger("DELETE", "secrets/API_KEY/"), 404, "not_found")
