"""The operators' console of budgets and policies: every change by its service, and for staff alone."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from scaling.models import Budget, ScalingPolicy, Simulation
from scaling.services import decisions, policies
from teams.models import AuditEntry, Team
from tests.factories.pools import make_pool, make_team
from tests.integration.scaling.test_api import make_decision

pytestmark = pytest.mark.django_db(transaction=True)

BUDGETS, POLICIES = "/admin/scaling/budget/", "/admin/scaling/scalingpolicy/"


def act(client: Client, address: str, action: str, pk: object) -> str:
    form = {"action": action, "_selected_action": [str(pk)]}
    return client.post(address, form, follow=True).content.decode()


def made(client: Client, team: Team, **values: Any) -> str:
    form = {"team": team.pk, "scope": "team", "period": "day", "limit": "5", "currency": "USD"}
    form |= {"timezone": "UTC", "mode": "enforce", "target": "", **values}
    return client.post(f"{BUDGETS}add/", form, follow=True).content.decode()


def audited(team: Team) -> list[str]:
    rows = AuditEntry.objects.filter(team=team, actor="admin").order_by("pk")
    return list(rows.values_list("action", flat=True))


def test_a_budgets_life_goes_through_the_service(admin_client: Client) -> None:
    team = make_team()
    made(admin_client, team)
    row = Budget.objects.get()
    page = admin_client.get(BUDGETS).content.decode()
    for figure in ("the whole team", "5 USD a day", "0.0000 USD", "enforce"):
        assert figure in page
    assert "Mode audit" in act(admin_client, BUDGETS, "audit", row.pk)
    change = {"limit": "7.5", "timezone": "Europe/Berlin", "mode": "enforce"}
    assert admin_client.post(f"{BUDGETS}{row.pk}/change/", change).status_code == 302
    row.refresh_from_db()
    assert (float(row.limit), row.timezone, row.mode) == (7.5, "Europe/Berlin", "enforce")
    admin_client.post(f"{BUDGETS}{row.pk}/delete/", {"post": "yes"})
    assert not Budget.objects.exists()
    assert audited(team) == ["budget.created", "budget.changed", "budget.changed", "budget.deleted"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"scope": "pool", "target": "nobody"}, "There is no pool nobody in this team."),
        ({"scope": "workflow"}, "Name the workflow that it is for."),
        ({"timezone": "Mars/Phobos"}, "is no time zone"),
        ({"currency": "EUR"}, "nothing is converted"),
        ({"limit": "2000000"}, "From 0 to 1000000."),
        ({"limit": "much"}, "Enter a number."),
    ],
)
def test_what_the_service_refuses_of_a_budget_is_shown(
    admin_client: Client, values: dict[str, Any], sentence: str
) -> None:
    assert sentence in made(admin_client, make_team(), **values)
    assert not Budget.objects.exists()


def test_a_second_budget_of_the_same_kind_is_refused(admin_client: Client) -> None:
    team = make_team()
    made(admin_client, team)
    assert "already exists" in made(admin_client, team)
    assert Budget.objects.count() == 1


def test_policies_are_switched_and_taken_away_by_their_service(admin_client: Client) -> None:
    team = make_team()
    pool = make_pool(team, max_size=9)
    row = policies.create(team.pk, {"pool": pool.name, "max": 4}, author="ada")
    assert f"{pool.name}: 1-4" in admin_client.get(POLICIES).content.decode()
    for action, mode in (("shadow", "shadow"), ("switch_off", "off"), ("act", "act")):
        assert f"Mode {mode}" in act(admin_client, POLICIES, action, row.pk)
        row.refresh_from_db()
        assert row.mode == mode
    admin_client.post(f"{POLICIES}{row.pk}/delete/", {"post": "yes"})
    assert not ScalingPolicy.objects.exists()
    assert audited(team) == ["policy.changed"] * 3 + ["policy.deleted"]


def test_decisions_and_simulations_are_seen(admin_client: Client) -> None:
    pool = make_pool()
    decisions.record([make_decision(pool)])
    run = Simulation.objects.create(
        team=pool.team,
        arrivals="trace",
        trace={},
        conditions={},
        policies=["balanced"],
        seeds=2,
        created_by="ada",
    )
    assert pool.name in admin_client.get("/admin/scaling/scalingdecision/").content.decode()
    assert "0 of 2" in admin_client.get("/admin/scaling/simulation/").content.decode()
    admin_client.post(f"/admin/scaling/simulation/{run.pk}/delete/", {"post": "yes"})
    assert not Simulation.objects.exists()


def test_the_console_is_for_staff(client: Client) -> None:
    team = make_team()
    row = policies.create(team.pk, {"workflow": "nightly"}, author="ada")
    person = get_user_model().objects.create_user("ada", password="x")
    client.force_login(person)
    for address in (BUDGETS, POLICIES, f"{BUDGETS}add/", "/admin/scaling/simulation/"):
        answer = client.get(address)
        assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (302, "/admin/login/")
    act(client, POLICIES, "switch_off", row.pk)
    person.is_staff = True
    person.save()
    assert client.get(POLICIES).status_code == 403
    act(client, POLICIES, "switch_off", row.pk)
    made(client, team)
    row.refresh_from_db()
    assert row.mode == "act"
    assert not Budget.objects.exists()
