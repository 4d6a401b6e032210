"""Alerts: raised once, resolved when their cause has ended, and sent where the team wants them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db.models import F
from django.utils import timezone

from aflow_site.kernel.signatures import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from teams.domain.alerts import RETRY_AFTER, AlertKind
from teams.domain.roles import Role
from teams.facade import alerts
from teams.facade.alerts import Cause
from teams.models import Alert, AlertChannel, AlertDelivery
from teams.services.alerts import deliveries
from teams.services.alerts.timer import nudge_due
from teams.tasks import deliver_alert
from tests.factories.members import Api, assert_problem, member
from tests.fakes.receiver import Receiver, receiver

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "a-secret-of-enough-characters"


@pytest.fixture
def admin() -> Api:
    return member(Role.ADMIN)


@pytest.fixture
def hook(settings: Any) -> Iterator[Receiver]:
    settings.AFLOW_WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with receiver() as found:
        yield found


@pytest.fixture(autouse=True)
def nudged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What would go to the broker."""
    told: list[int] = []

    def send_task(name: str, args: list[int], **_options: Any) -> None:
        assert name == "teams.deliver_alert"
        told.append(args[0])

    monkeypatch.setattr("teams.services.alerts.nudges.current_app.send_task", send_task)
    return told


def add(admin: Api, **values: Any) -> dict[str, Any]:
    answer = admin("POST", "alert-channels/", {"name": "ops", **values})
    assert answer.status_code == 201, answer.content
    body: dict[str, Any] = answer.json()
    return body


def raise_one(admin: Api, subject: str = "pool/python", **facts: Any) -> Any:
    return alerts.raise_alert(admin.team.pk, "saturation", subject, facts)


def listed(admin: Api, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = admin("GET", f"alerts/{query}").json()["results"]
    return found


# --- raised once ----------------------------------------------------------------------------------------


def test_one_cause_is_one_alert_until_it_ends(admin: Api) -> None:
    first = raise_one(admin, sentence="12 wait.", waiting=12)
    assert first is not None
    assert raise_one(admin, sentence="13 wait.") is None
    raise_one(admin, "pool/other")
    assert {alert["subject"] for alert in listed(admin, "?state=open")} == {"pool/python", "pool/other"}
    (shown,) = listed(admin, "?subject=pool/python")
    assert (shown["id"], shown["sentence"], shown["facts"]["waiting"]) == (str(first), "12 wait.", 12)
    assert alerts.resolve_alert(admin.team.pk, "saturation", "pool/python")
    assert not alerts.resolve_alert(admin.team.pk, "saturation", "pool/python")
    assert [alert["id"] for alert in listed(admin, "?state=resolved")] == [str(first)]
    assert raise_one(admin) not in (None, first)


def test_one_of_a_kind_for_a_period(admin: Api) -> None:
    """A threshold of a budget is told once in its period, whatever happens, and again in the next."""
    team = admin.team.pk
    first = alerts.raise_alert(team, "budget_80", "budget/7", {}, period="2026-11")
    assert first is not None
    assert alerts.raise_alert(team, "budget_100", "budget/7", {}, period="2026-11") is not None
    assert alerts.resolve_alert(team, "budget_80", "budget/7", period="2026-11")
    assert alerts.raise_alert(team, "budget_80", "budget/7", {}, period="2026-11") is None
    assert alerts.raise_alert(team, "budget_80", "budget/7", {}, period="2026-12") is not None
    assert "80 %" in next(a for a in listed(admin) if a["id"] == str(first))["sentence"]


def test_what_is_found_is_settled_at_once(admin: Api) -> None:
    team, kinds = admin.team.pk, (AlertKind.CREATION, AlertKind.SATURATION)
    alerts.raise_alert(team, "budget_50", "budget/1", {})
    a, b = Cause(team, AlertKind.CREATION, "pool/a"), Cause(team, AlertKind.SATURATION, "pool/a")
    causes: list[Cause]
    for causes in ([a, b], [a, b], [b], []):
        alerts.settle(kinds, causes)
        found = Alert.objects.filter(resolved_at=None, kind__in=kinds)
        assert {(one.kind, one.subject) for one in found} == {(one.kind, one.subject) for one in causes}
    assert Alert.objects.count() == 3
    assert Alert.objects.get(kind="budget_50").resolved_at is None


def test_teams_see_their_own(admin: Api) -> None:
    raise_one(admin)
    other = member(Role.ADMIN, "other")
    assert listed(other) == []
    channel = add(admin, kind="email", target="a@example.org")
    for method, path in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "test/"),
    ):
        assert other(method, f"alert-channels/{channel['id']}/{path}", {}).status_code == 404
    assert AlertChannel.objects.count() == 1


@pytest.mark.parametrize(
    ("role", "sees", "changes"), [(Role.VIEWER, 403, 403), (Role.EDITOR, 403, 403), (Role.OPERATOR, 200, 403)]
)
def test_roles(admin: Api, role: Role, sees: int, changes: int) -> None:
    person = member(role)
    channel = add(admin, kind="email", target="a@example.org")
    path = f"alert-channels/{channel['id']}/"
    assert person("GET", "alerts/").status_code == 200
    assert person("GET", "alert-channels/").status_code == sees
    assert person("GET", path).status_code == sees
    assert person("POST", f"{path}test/").status_code == (204 if sees == 200 else 403)
    for method, where in (("POST", "alert-channels/"), ("PATCH", path), ("DELETE", path)):
        assert person(method, where, {}).status_code == changes


# --- channels -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"kind": "email", "target": "nobody"}, "target"),
        ({"kind": "email", "target": "a@example.org\nBcc: b@example.org"}, "target"),
        ({"kind": "email", "target": " , "}, "target"),
        ({"kind": "webhook", "target": "http://127.0.0.1:6379/"}, "target"),
        ({"kind": "webhook", "target": "gopher://example.org/"}, "target"),
        ({"kind": "pigeon", "target": "x"}, "kind"),
        ({"kind": "email", "target": "a@example.org", "kinds": ["rain"]}, "kinds[0]"),
        ({"kind": "webhook", "target": "https://example.org/", "secret": "short"}, "secret"),
        ({"kind": "email", "target": "a@example.org", "to": "x"}, "to"),
        ({"kind": "email", "target": "a@example.org", "name": "No Good"}, "name"),
        ([], "$"),
    ],
)
def test_bad_channels_are_refused_by_their_field(admin: Api, body: Any, path: str) -> None:
    given = {"name": "ops", **body} if isinstance(body, dict) else body
    problem = assert_problem(admin("POST", "alert-channels/", given), 400, "invalid")
    assert path in {fault["path"] for fault in problem["errors"]}
    assert not AlertChannel.objects.exists()


def test_a_channel_keeps_its_secret(admin: Api) -> None:
    made = add(admin, kind="webhook", target="https://example.org/", secret=SECRET)
    assert made["secret"] == SECRET
    path = f"alert-channels/{made['id']}/"
    for answer in (admin("GET", "alert-channels/"), admin("GET", path), admin("GET", "audit/")):
        assert SECRET not in answer.content.decode()
    assert SECRET not in AlertChannel.objects.get().sealed
    assert_problem(
        admin("POST", "alert-channels/", {"name": "ops", "kind": "email", "target": "a@example.org"}),
        409,
        "conflict",
    )
    other = add(admin, name="second", kind="webhook", target="https://example.org/")
    assert len(other["secret"]) > 30
    assert admin("DELETE", path).status_code == 204
    assert [row["name"] for row in admin("GET", "alert-channels/").json()["results"]] == ["second"]


# --- on their way ---------------------------------------------------------------------------------------


def test_an_e_mail_for_the_beginning_and_the_end(admin: Api, nudged: list[int]) -> None:
    add(admin, kind="email", target="ann@example.org, bob@example.org")
    raise_one(admin, sentence="12 wait\r\nfor agents.", waiting=12)
    alerts.resolve_alert(admin.team.pk, "saturation", "pool/python")
    first, second = nudged
    assert deliveries.deliver(second) is None, "the end must wait for the beginning"
    assert [deliveries.deliver(pk) for pk in (first, second, first, second)] == ["sent", "sent", None, None]
    raised, resolved = mail.outbox
    assert raised.to == ["ann@example.org", "bob@example.org"]
    assert raised.subject == "[Team] 12 wait for agents."
    assert "waiting: 12" in raised.body
    assert resolved.subject == "[Team] Resolved: 12 wait for agents."


def test_a_signed_webhook(admin: Api, hook: Receiver, nudged: list[int]) -> None:
    made = add(admin, kind="webhook", target=f"{hook.url}/in?x=1", secret=SECRET)
    raise_one(admin, waiting=12)
    assert deliveries.deliver(*nudged) == "sent"
    ((path, headers, body),) = hook.received
    assert path == "/in?x=1"
    assert headers[SIGNATURE_HEADER] == sign(SECRET, headers[TIMESTAMP_HEADER], body)
    told = json.loads(body)
    assert (told["event"], told["team"], told["alert"]["kind"]) == ("raised", "team", "saturation")
    assert told["alert"]["facts"] == {"waiting": 12}
    assert headers["X-Agentainer-Delivery"] == f"alert-{nudged[0]}"
    last = admin("GET", f"alert-channels/{made['id']}/").json()["last"]
    assert (last["state"], last["problem"]) == ("sent", None)


def test_a_channel_tells_of_what_was_tried_last(admin: Api, hook: Receiver, nudged: list[int]) -> None:
    made = add(admin, kind="webhook", target=hook.url)
    hook.answers = [503]
    raise_one(admin)
    assert deliveries.deliver(*nudged) == "pending"
    alerts.resolve_alert(admin.team.pk, "saturation", "pool/python")  # its delivery waits for the first
    last = admin("GET", f"alert-channels/{made['id']}/").json()["last"]
    assert (last["state"], last["attempts"], "503" in last["problem"]) == ("pending", 1, True)


def test_what_is_not_taken_is_tried_again_and_given_up(admin: Api, hook: Receiver, nudged: list[int]) -> None:
    add(admin, kind="webhook", target=hook.url)
    raise_one(admin)
    (pk,) = nudged
    hook.answers = [503] * (len(RETRY_AFTER) + 1)
    waited = []
    for _ in RETRY_AFTER:
        assert deliveries.deliver(pk) == "pending"
        row = AlertDelivery.objects.get(pk=pk)
        assert "503" in row.problem
        assert deliveries.deliver(pk) is None, "it is not due"
        waited.append(row.due_at - timezone.now())
        AlertDelivery.objects.update(due_at=timezone.now())
        nudged.clear()
        assert (nudge_due(), nudged) == (1, [pk])
    for wait, wanted in zip(waited, RETRY_AFTER, strict=True):
        assert timedelta(0) < wait <= timedelta(seconds=wanted)
    assert waited == sorted(waited)
    assert deliveries.deliver(pk) == "failed"
    AlertDelivery.objects.update(due_at=F("due_at") - timedelta(days=1))
    assert nudge_due() == 0
    keys = {headers["X-Agentainer-Delivery"] for _, headers, _ in hook.received}
    assert (len(hook.received), len(keys)) == (len(RETRY_AFTER) + 1, 1)


def test_receivers_of_one_team_hold_up_nobody_else(admin: Api, nudged: list[int]) -> None:
    """Each team's oldest come first, and few of one team at once."""
    others = member(Role.ADMIN, "other")
    add(admin, kind="webhook", target="https://dead.example")
    add(others, kind="webhook", target="https://alive.example")
    for number in range(6):
        raise_one(admin, f"pool/{number}")
    alerts.raise_alert(others.team.pk, "saturation", "pool/theirs", {})
    theirs = AlertDelivery.objects.get(alert__team=others.team).pk
    assert (len(nudged), nudged[-1]) == (5, theirs), "each is told at once, up to four of a team"
    found = deliveries.due(timezone.now())
    assert (len(found), found.index(theirs)) == (5, 1)
    # An end that waits for its beginning takes no place.
    AlertDelivery.objects.filter(pk__in=found).update(due_at=timezone.now() + timedelta(hours=1))
    for number in range(4):
        alerts.resolve_alert(admin.team.pk, "saturation", f"pool/{number}")
    pending = AlertDelivery.objects.filter(channel__team=admin.team, alert__resolved_at=None)
    assert set(deliveries.due(timezone.now())) == {*pending.values_list("pk", flat=True)} - set(found)


def test_an_executor_sends_it_beside_its_other_work(admin: Api, hook: Receiver, nudged: list[int]) -> None:
    """The task comes back at once: nudges of runs come through the same worker."""
    add(admin, kind="webhook", target=hook.url)
    raise_one(admin)
    hook.hold.clear()
    deliver_alert(*nudged)
    assert AlertDelivery.objects.get().state == "pending"
    hook.hold.set()
    until = time.monotonic() + 60
    while AlertDelivery.objects.get().state != "sent":
        assert time.monotonic() < until, AlertDelivery.objects.get().problem
        time.sleep(0.02)
    deliver_alert(*nudged)
    assert len(hook.received) == 1


def test_one_that_fails_once_arrives(admin: Api, hook: Receiver, nudged: list[int]) -> None:
    add(admin, kind="webhook", target=hook.url)
    raise_one(admin)
    hook.answers = [500]
    assert deliveries.deliver(*nudged) == "pending"
    AlertDelivery.objects.update(due_at=timezone.now())
    assert deliveries.deliver(*nudged) == "sent"
    assert len(hook.received) == 2


def test_only_the_kinds_that_a_channel_wants(admin: Api, nudged: list[int]) -> None:
    channel = add(admin, kind="email", target="a@example.org", kinds=["creation"])
    raise_one(admin)
    assert nudged == []
    alerts.raise_alert(admin.team.pk, "creation", "pool/x", {})
    assert len(nudged) == 1
    path = f"alert-channels/{channel['id']}/"
    assert admin("PATCH", path, {"kinds": []}).json()["kinds"] == []
    raise_one(admin, "pool/y")
    assert len(nudged) == 2
    admin("PATCH", path, {"enabled": False})
    raise_one(admin, "pool/z")
    assert len(nudged) == 2


@pytest.mark.parametrize("target", ["http://localhost:{port}/", "http://0x7f000001:{port}/"])
def test_a_name_of_this_machine_is_refused_when_it_is_used(
    admin: Api, hook: Receiver, settings: Any, nudged: list[int], target: str
) -> None:
    """Saved while it could be anything; the address behind it counts."""
    channel = add(admin, kind="webhook", target=target.format(port=hook.port))
    raise_one(admin)
    settings.AFLOW_WEBHOOK_NETWORKS = []
    assert deliveries.deliver(*nudged) == "failed"
    problem = assert_problem(admin("POST", f"alert-channels/{channel['id']}/test/"), 502, "not_delivered")
    assert "open Internet" in problem["detail"]
    assert hook.received == []
    settings.AFLOW_WEBHOOK_NETWORKS = ["127.0.0.0/8", "::1/128"]
    assert admin("POST", f"alert-channels/{channel['id']}/test/").status_code == 204
    assert json.loads(hook.received[0][2])["event"] == "test"


def test_redirects_are_not_followed(admin: Api, hook: Receiver, nudged: list[int]) -> None:
    """The one who receives could send us anywhere."""
    add(admin, kind="webhook", target=hook.url)
    raise_one(admin)
    hook.answers, hook.location = [307], f"{hook.url}/elsewhere"
    assert deliveries.deliver(*nudged) == "pending"
    assert [path for path, _, _ in hook.received] == ["/"]


def test_a_test_by_e_mail(admin: Api, settings: Any) -> None:
    channel = add(admin, kind="email", target="a@example.org")
    settings.DEFAULT_FROM_EMAIL = "flow@example.org"
    assert admin("POST", f"alert-channels/{channel['id']}/test/").status_code == 204
    (letter,) = mail.outbox
    assert letter.from_email == "flow@example.org"
    assert "test of the channel ops" in letter.body
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert_problem(admin("POST", f"alert-channels/{channel['id']}/test/"), 502, "not_delivered")


def test_old_ones_are_forgotten_once_they_are_resolved(admin: Api) -> None:
    raise_one(admin)
    raise_one(admin, "pool/old")
    alerts.resolve_alert(admin.team.pk, "saturation", "pool/old")
    assert deliveries.forget_alerts(timezone.now() + timedelta(days=1)) == 1
    assert [alert.subject for alert in Alert.objects.all()] == ["pool/python"]
