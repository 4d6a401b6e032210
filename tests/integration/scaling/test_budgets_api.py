"""Budgets over HTTP: who may, what is refused, and figures that agree with the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from pools.models import Pool
from scaling.domain.bins import bin_of
from scaling.models import Budget, BudgetAlert, CapacitySpend
from teams.domain.roles import Role
from tests.factories.members import member
from tests.factories.pools import make_pool

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

NEW = {"scope": "team", "period": "day", "limit": "2.5"}


def spend(pool: Pool, nanos: int, workflow: str = "") -> None:
    CapacitySpend.objects.create(
        team=pool.team,
        pool=pool.name,
        workflow=workflow,
        bin=bin_of(datetime.now(UTC)),
        milliseconds=1000,
        nanos=nanos,
    )


def test_made_changed_listed_and_deleted() -> None:
    admin = member(Role.ADMIN)
    pool = make_pool(admin.team, name="paid")
    made = admin("POST", "budgets/", {**NEW, "scope": "pool", "target": "paid"})
    assert made.status_code == 201, made.json()
    body = made.json()
    assert {name: body[name] for name in ("scope", "target", "period", "timezone", "currency", "mode")} == {
        "scope": "pool",
        "target": "paid",
        "period": "day",
        "timezone": "UTC",
        "currency": "USD",
        "mode": "enforce",
    }
    assert (body["limit"], body["spent"], body["reserved"], body["state"]) == ("2.5", "0", "0", "ok")
    spend(pool, 2 * 10**9)
    path = f"budgets/{body['id']}/"
    assert admin("GET", path).json()["spent"] == "2"
    changed = admin("PATCH", path, {"limit": "1", "mode": "audit"}).json()
    assert (changed["limit"], changed["mode"], changed["state"]) == ("1", "audit", "exhausted")
    assert [one["id"] for one in admin("GET", "budgets/?scope=pool&target=paid").json()["results"]] == [
        body["id"]
    ]
    assert admin("GET", "budgets/?scope=team").json()["results"] == []
    assert admin("GET", path + "burn/").json()["points"][-1]["spent"] == "2"
    assert admin("POST", "budgets/", {**NEW, "scope": "pool", "target": "paid"}).status_code == 409
    assert admin("DELETE", path).status_code == 204
    assert admin("GET", path).status_code == 404


def test_a_budget_of_a_workflow_stays_when_that_goes() -> None:
    admin = member(Role.ADMIN)
    new = {**NEW, "scope": "workflow", "target": "daily"}
    body = {"name": "daily", "steps": [{"id": "a", "type": "wait", "duration": 1}]}
    refused = admin("POST", "budgets/", new)
    assert refused.json()["errors"][0]["message"] == "There is no workflow daily in this team."
    assert member(Role.EDITOR, "others")("POST", "workflows/", body).status_code == 201
    assert "errors" in admin("POST", "budgets/", new).json(), "it is another team's"
    assert admin("POST", "workflows/", body).status_code == 201
    made = admin("POST", "budgets/", new)
    assert made.status_code == 201, made.json()
    assert admin("DELETE", "workflows/daily/").status_code == 204
    path = f"budgets/{made.json()['id']}/"
    assert admin("PATCH", path, {"limit": "3"}).json()["limit"] == "3"
    assert admin("DELETE", path).status_code == 204


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"currency": "EUR"}, "currency"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "10000000"}, "limit"),
        ({"limit": "NaN"}, "limit"),
        ({"limit": "a lot"}, "limit"),
        ({"target": "x"}, "target"),
        ({"scope": "pool"}, "target"),
        ({"scope": "pool", "target": "nowhere"}, "target"),
        ({"scope": "workflow"}, "target"),
        ({"scope": "workflow", "target": "nothing"}, "target"),
        ({"scope": "planet"}, "scope"),
        ({"period": "year"}, "period"),
        ({"mode": "strict"}, "mode"),
        ({"limits": "1"}, "limits"),
    ],
)
def test_what_is_refused_says_where(change: dict[str, Any], path: str) -> None:
    answer = member(Role.ADMIN)("POST", "budgets/", {**NEW, **change})
    assert answer.status_code in (400, 422), answer.json()
    assert path in [one["path"] for one in answer.json()["errors"]], answer.json()


def test_administrators_give_money_and_everybody_sees_it() -> None:
    admin = member(Role.ADMIN)
    body = admin("POST", "budgets/", NEW).json()
    path = f"budgets/{body['id']}/"
    for role in (Role.VIEWER, Role.EDITOR, Role.OPERATOR):
        other = member(role)
        assert other("POST", "budgets/", {**NEW, "period": "hour"}).status_code == 403
        assert other("PATCH", path, {"limit": "99"}).status_code == 403
        assert other("DELETE", path).status_code == 403
        assert other("GET", path).status_code == 200
    stranger = member(Role.ADMIN, "strangers")
    assert stranger("GET", path).status_code == 404
    assert stranger("PATCH", path, {"limit": "99"}).status_code == 404
    assert stranger("DELETE", path).status_code == 404
    assert stranger("GET", "budgets/").json()["results"] == []
    assert Budget.objects.get(pk=UUID(body["id"])).limit == Decimal("2.5")


def test_a_shared_pool_is_paid_by_its_owner() -> None:
    owner, guest = member(Role.ADMIN), member(Role.ADMIN, "guests")
    pool = make_pool(owner.team, name="shared")
    pool.shares.create(team=guest.team)
    answer = guest("POST", "budgets/", {**NEW, "scope": "pool", "target": "shared"})
    assert answer.status_code in (400, 422)
    assert "belongs to team" in answer.json()["errors"][0]["message"]


def test_alerts_of_this_period_are_told() -> None:
    admin = member(Role.ADMIN)
    body = admin("POST", "budgets/", NEW).json()
    row = Budget.objects.get(pk=UUID(body["id"]))
    now = datetime.now(UTC)
    starts_at = datetime.fromisoformat(body["starts_at"])
    BudgetAlert.objects.create(budget=row, starts_at=starts_at, threshold="50", at=now)
    BudgetAlert.objects.create(budget=row, starts_at=starts_at.replace(year=2020), threshold="80", at=now)
    alerts = admin("GET", f"budgets/{body['id']}/").json()["alerts"]
    assert [alert["threshold"] for alert in alerts] == ["50"]


def test_spend_by_pool_workflow_and_team() -> None:
    viewer = member(Role.VIEWER)
    own = make_pool(viewer.team, name="own", workflow="w")
    spend(own, 3 * 10**9, workflow="w")
    spend(make_pool(viewer.team, name="other"), 10**9)
    spend(make_pool(name="strangers"), 10**9)
    by_pool = viewer("GET", "spend/?group=pool").json()
    assert [(line["name"], line["cost"], line["idle_cost"]) for line in by_pool["lines"]] == [
        ("own", "3", "3"),
        ("other", "1", "1"),
    ]
    assert (by_pool["total"]["cost"], by_pool["currency"]) == ("4", "USD")
    assert [line["name"] for line in viewer("GET", "spend/?group=workflow").json()["lines"]] == ["w"]
    assert viewer("GET", "spend/?group=team").json()["total"]["cost"] == "4"
    assert viewer("GET", "spend/?group=run").json()["lines"] == []
    for query in ("group=cat", "from=yesterday", "from=2027-01-02&to=2027-01-01", "group=step&run=x"):
        assert viewer("GET", f"spend/?{query}").status_code in (400, 422), query
    assert viewer("GET", f"spend/?group=step&run={uuid4()}").status_code == 404


def test_metrics_tell_the_same_as_the_api() -> None:
    admin = member(Role.ADMIN)
    spend(make_pool(admin.team, name="paid"), 1_250_000_000)
    body = admin("POST", "budgets/", NEW).json()
    text = Client().get("/metrics").content.decode()
    labels = f'{{period="day",scope="team",target="",team="{admin.team.slug}"}}'
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("agentainer_budget_"))
    for name in ("limit", "spent", "reserved"):
        assert float(lines[f"agentainer_budget_{name}{labels}"]) == float(body[name]), name
    assert float(lines[f"agentainer_budget_forecast{labels}"]) >= 1.25
