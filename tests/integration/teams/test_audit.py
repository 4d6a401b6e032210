"""The audit log: what stands in it, where entries say that they come from, and who may read it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import AsyncClient, Client
from django.utils import timezone

from teams.facade import api as teams
from teams.facade.contracts import Role, Via
from teams.models import AuditEntry, Membership, Team
from tests.factories.members import Api, assert_problem, member

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def admin() -> Api:
    return member(Role.ADMIN)


def write(team: Team, action: str = "workflow.saved", target: str = "workflow/w", **more: Any) -> None:
    teams.audit(team.pk, **{"actor": "ann", "action": action, "target": target, **more})


def test_entries_filter_and_page_the_newest_first(admin: Api) -> None:
    write(admin.team, details={"version": 2})
    write(admin.team, action="workflow.archived", actor="bob")
    write(admin.team, action="run.started", target="run/1")
    everything = admin("GET", "audit/").json()["results"]
    assert [entry["action"] for entry in everything] == ["run.started", "workflow.archived", "workflow.saved"]
    assert everything[2]["details"] == {"version": 2}
    assert set(everything[0]) == {
        "id",
        "at",
        "actor",
        "via",
        "address",
        "action",
        "target",
        "details",
    }
    for query, count in {
        "actor=bob": 1,
        "action=workflow": 2,
        "action=workflow.saved": 1,
        "action=work": 0,
        "target=workflow/w": 2,
        "target=run": 1,
        "actor=ann&action=run": 1,
    }.items():
        assert len(admin("GET", f"audit/?{query}").json()["results"]) == count, query
    first = admin("GET", "audit/?limit=2").json()
    second = admin("GET", first["next"].split("/api/v1/")[1]).json()
    assert [entry["action"] for entry in second["results"]] == ["workflow.saved"]


def test_entries_by_time(admin: Api) -> None:
    write(admin.team)
    AuditEntry.objects.update(at=datetime(2026, 3, 1, 12, tzinfo=UTC))
    for query, count in {
        "after=2026-03-01T12:00:00Z": 1,
        "after=2026-03-01T12:00:01Z": 0,
        "before=2026-03-01T12:00:00Z": 0,
        "before=2026-03-02": 1,
        "after=2026-03-01T13:00:00+01:00": 1,
        "after=2026-03-01T13:00:00%2B02:00": 1,
    }.items():
        assert len(admin("GET", f"audit/?{query}").json()["results"]) == count, query
    assert_problem(admin("GET", "audit/?after=yesterday"), 400, "invalid")
    assert_problem(admin("GET", "audit/?after=0001-01-01T00:00:00%2B10:00"), 400, "invalid")


def test_other_teams_and_lesser_roles_see_nothing(admin: Api) -> None:
    write(admin.team)
    assert member(Role.ADMIN, "strangers")("GET", "audit/").json()["results"] == []
    assert len(member(Role.OPERATOR)("GET", "audit/").json()["results"]) == 1
    assert_problem(member(Role.EDITOR)("GET", "audit/"), 403, "not_allowed")
    assert_problem(Api(None)("GET", "audit/"), 401, "not_authenticated")


def test_an_entry_goes_with_its_transaction(admin: Api) -> None:
    with transaction.atomic():
        write(admin.team)
        transaction.set_rollback(True)
    assert not AuditEntry.objects.exists()


def change_name(client: Any, name: str, **headers: str) -> Any:
    return client.patch(
        "/api/v1/teams/team/", json.dumps({"name": name}), content_type="application/json", headers=headers
    )


def session_of(admin: Api) -> Client:
    browser = Client()
    browser.force_login(get_user_model().objects.get(username=admin.name))
    return browser


def test_entries_say_how_and_from_where_the_request_came(admin: Api, settings: Any) -> None:
    assert change_name(session_of(admin), "A").status_code == 200
    admin("PATCH", "teams/team/", {"name": "B"}, X_Forwarded_For="198.51.100.1")
    settings.AFLOW_TRUSTED_PROXIES = ["127.0.0.0/8"]
    admin("PATCH", "teams/team/", {"name": "C"}, X_Forwarded_For="192.0.2.1, 198.51.100.1")
    write(admin.team)  # outside of any request
    with teams.acting(Via.SCHEDULE):
        write(admin.team)
    told = list(AuditEntry.objects.order_by("pk").values_list("via", "address"))
    assert told == [
        ("session", "127.0.0.1"),
        ("token", "127.0.0.1"),
        ("token", "198.51.100.1"),
        ("platform", ""),
        ("schedule", ""),
    ]


async def test_the_same_under_asgi(admin: Api) -> None:
    answer = await AsyncClient().patch(
        "/api/v1/teams/team/",
        json.dumps({"name": "A"}),
        content_type="application/json",
        headers=admin._headers,
    )
    assert answer.status_code == 200
    entry = await AuditEntry.objects.aget()
    assert (entry.actor, entry.via, entry.address) == (admin.name, "token", "127.0.0.1")


def test_settings_of_a_team(admin: Api) -> None:
    shown = admin("GET", "teams/team/").json()
    assert (shown["max_concurrent_runs"], shown["retention_days"], shown["role"]) == (None, None, "admin")
    assert shown["platform_retention_days"] == 90
    changes = {"max_concurrent_runs": 5, "retention_days": 30, "name": "The team"}
    changed = admin("PATCH", "teams/team/", changes).json()
    assert changes.items() <= changed.items()
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target, entry.actor) == ("team.changed", "team/team", admin.name)
    assert entry.details["retention_days"] == {"before": None, "after": 30}
    admin("PATCH", "teams/team/", changes)  # nothing changes, nothing is told
    assert AuditEntry.objects.count() == 1
    assert admin("PATCH", "teams/team/", {"retention_days": None}).json()["retention_days"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"retention_days": 0},
        {"max_concurrent_runs": -1},
        {"max_concurrent_runs": "many"},
        {"name": ""},
        {"slug": "other"},
        {"retention_days": 10**12},
        [],
    ],
)
def test_settings_that_make_no_sense(admin: Api, body: Any) -> None:
    assert_problem(admin("PATCH", "teams/team/", body), 400, "invalid")


def test_only_admins_change_settings_and_only_of_their_team(admin: Api) -> None:
    assert member(Role.VIEWER)("GET", "teams/team/").status_code == 200
    assert_problem(member(Role.OPERATOR)("PATCH", "teams/team/", {"name": "x"}), 403, "not_allowed")
    stranger = member(Role.ADMIN, "strangers")
    assert_problem(stranger("GET", "teams/team/"), 404, "not_found")
    assert_problem(stranger("PATCH", "teams/team/", {"name": "x"}), 404, "not_found")


def test_a_session_chooses_its_team(admin: Api) -> None:
    other = Team.objects.create(slug="other", name="Other")
    user = get_user_model().objects.get(username=admin.name)
    Membership.objects.create(team=other, user=user, role=Role.ADMIN)
    browser = session_of(admin)
    assert browser.get("/api/v1/teams/other/", headers={"X-Team": "other"}).status_code == 200
    assert_problem(browser.get("/api/v1/teams/other/"), 404, "not_found")


def test_old_entries_are_forgotten_in_pages(admin: Api) -> None:
    for _ in range(5):
        write(admin.team)
    now = timezone.now()
    AuditEntry.objects.filter(pk__in=AuditEntry.objects.values("pk")[:4]).update(at=now - timedelta(days=9))
    before = now - timedelta(days=1)
    assert [teams.forget_audit(before, 3), teams.forget_audit(before, 3)] == [3, 1]
    assert AuditEntry.objects.count() == 1
