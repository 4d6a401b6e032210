"""Webhooks: signed deliveries, each of which starts one run."""

from __future__ import annotations

import json
import threading
import time
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection

from teams.facade.contracts import Role
from tests.factories.members import Api, assert_problem, member
from tests.factories.workflows import make_workflow
from workflows.domain.webhooks import sign
from workflows.models import Firing, Run, Trigger

pytestmark = pytest.mark.django_db(transaction=True)

OUTSIDE = Api(None)


@pytest.fixture
def api() -> Api:
    api = member(Role.EDITOR, name="ann")
    schema = {"type": "object", "properties": {"n": {"type": "integer"}, "env": {}, "who": {}}}
    make_workflow(api.team, "w", params=schema)
    return api


class Sender:
    """Delivers to one webhook."""

    def __init__(self, api: Api, config: Any = None, params: Any = None) -> None:
        body = {"workflow": "w", "name": f"h-{uuid4().hex[:6]}", "kind": "webhook"}
        made = api("POST", "triggers/", {**body, "config": config or {}, "params": params or {}}).json()
        self.id, self.secret, self.path = made["id"], made["secret"], f"hooks/{made['id']}/"

    def __call__(
        self, body: Any, *, at: float | None = None, header: str = "X-Agentainer-Signature", **more: str
    ) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        timestamp = str(int(time.time() if at is None else at))
        headers = {"X-Agentainer-Timestamp": timestamp, header: sign(self.secret, timestamp, raw), **more}
        return OUTSIDE("POST", self.path, raw, **headers)


def test_a_delivery_starts_a_run_with_its_payload(api: Api) -> None:
    send = Sender(api)
    answer = send({"n": 3})
    assert answer.status_code == 201, answer.content
    run = Run.objects.get()
    assert answer.json() == {
        "outcome": "started",
        "detail": "",
        "run": {"id": str(run.pk), "state": "pending"},
    }
    assert (run.params, str(run.trigger_id), run.created_by) == ({"n": 3}, send.id, "ann")


def test_the_same_delivery_again_starts_nothing(api: Api) -> None:
    send, now = Sender(api), time.time()
    first, second = send({"n": 3}, at=now), send({"n": 3}, at=now)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["run"] == second.json()["run"]
    assert send({"n": 3}, at=now - 1).status_code == 201  # another one, of another moment
    assert Run.objects.count() == 2


def test_a_named_delivery_is_known_by_its_name_and_by_its_signature(api: Api) -> None:
    send, now = Sender(api), time.time()
    first = send({"n": 3}, at=now, X_Agentainer_Delivery="d-1")
    again = send({"n": 3}, at=now - 5, X_Agentainer_Delivery="d-1")  # its sender signed it anew
    stolen = send({"n": 3}, at=now, X_Agentainer_Delivery="d-2")  # who recorded it can only rename it
    bare = send({"n": 3}, at=now)
    assert [answer.status_code for answer in (first, again, stolen, bare)] == [201, 200, 200, 200]
    assert len({answer.json()["run"]["id"] for answer in (first, again, stolen, bare)}) == 1
    long = send({"n": 4}, X_Agentainer_Delivery="x" * 91)
    assert_problem(long, 400, "invalid")


def test_deliveries_at_the_same_moment(api: Api) -> None:
    send, now = Sender(api), time.time()
    start, codes = threading.Barrier(4), []

    def deliver() -> None:
        start.wait()
        try:
            codes.append(send({"n": 3}, at=now).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200, 200, 200, 201]
    assert Run.objects.count() == 1


def test_what_is_not_signed_is_refused(api: Api) -> None:
    send, other = Sender(api), Sender(api)
    body, now = b'{"n": 1}', str(int(time.time()))
    good = sign(send.secret, now, body)
    stale = str(int(time.time()) - 301)
    for headers in [
        {},
        {"X-Agentainer-Timestamp": now},
        {"X-Agentainer-Signature": good},
        {"X-Agentainer-Timestamp": now, "X-Agentainer-Signature": "sha256=" + "0" * 64},
        {"X-Agentainer-Timestamp": now, "X-Agentainer-Signature": sign(other.secret, now, body)},
        {"X-Agentainer-Timestamp": str(int(now) + 1), "X-Agentainer-Signature": good},
        {"X-Agentainer-Timestamp": stale, "X-Agentainer-Signature": sign(send.secret, stale, body)},
        {"X-Agentainer-Timestamp": "now", "X-Agentainer-Signature": sign(send.secret, "now", body)},
        {"X-Agentainer-Timestamp": now, "X-Agentainer-Signature": "sha256=\xe9"},
    ]:
        assert_problem(OUTSIDE("POST", send.path, body, **headers), 401, "bad_signature")
    signed = {"X-Agentainer-Timestamp": now, "X-Agentainer-Signature": good}
    assert_problem(OUTSIDE("POST", send.path, b'{"n": 2}', **signed), 401, "bad_signature")
    assert_problem(OUTSIDE("POST", f"hooks/{uuid4()}/", body, **signed), 401, "bad_signature")
    assert not Run.objects.exists()
    assert not Firing.objects.exists()
    assert OUTSIDE("GET", send.path).status_code == 405


def test_a_rotated_secret_is_void(api: Api) -> None:
    send = Sender(api)
    rotated = api("POST", f"triggers/{send.id}/rotate-secret/").json()["secret"]
    assert_problem(send({"n": 1}), 401, "bad_signature")
    send.secret = rotated
    assert send({"n": 1}).status_code == 201


def test_a_map_over_body_and_headers(api: Api) -> None:
    config = {
        "map": {"n": "${body.items.size()}", "who": '${headers["x-sender"]}'},
        "signature_header": "X-Signed",
    }
    send = Sender(api, config, {"env": "prod"})
    assert send({"items": [1, 2]}, header="X-Signed", X_Sender="crm").status_code == 201
    assert Run.objects.get().params == {"n": 2, "who": "crm", "env": "prod"}
    assert_problem(send({"items": [1, 2]}, X_Sender="crm"), 401, "bad_signature")
    without = assert_problem(send({"items": [1]}, header="X-Signed"), 400, "no_params")
    assert "who" in without["detail"]


def test_expressions_see_no_credentials(api: Api) -> None:
    config = {"map": {"who": "${headers}"}}
    send = Sender(api, config)
    send({}, Authorization="Bearer mine", Cookie="a=b")
    seen = Run.objects.get().params["who"]
    assert "x-agentainer-timestamp" in seen
    assert not {"authorization", "cookie", "x-agentainer-signature"} & seen.keys()


def test_fixed_params_win_over_the_payload(api: Api) -> None:
    send = Sender(api, params={"env": "prod"})
    send({"n": 1, "env": "mine"})
    assert Run.objects.get().params == {"n": 1, "env": "prod"}


def test_a_payload_that_does_not_fit_is_refused_and_written_down(api: Api) -> None:
    send, now = Sender(api), time.time()
    bad = send({"n": "three"}, at=now)
    assert assert_problem(bad, 400, "invalid_params")["errors"][0]["path"] == "params.n"
    firing = Firing.objects.get()
    assert (firing.outcome, firing.run) == ("failed", None)
    assert "three" in firing.detail
    # Mended here, the sender's next attempt with the same delivery works.
    version = Trigger.objects.get().workflow.versions.get()
    version.document["params"]["properties"]["n"] = {"type": "string"}
    version.save()
    assert send({"n": "three"}, at=now).status_code == 201
    assert Firing.objects.get().outcome == "started"


@pytest.mark.parametrize("body", [b"[1]", b"{", b'"x"', b"\xff", b'{"a": NaN}', b"[" * 50_000, b"null"])
def test_payloads_that_are_no_objects(api: Api, body: bytes) -> None:
    assert_problem(Sender(api)(body), 400, "invalid")
    assert not Run.objects.exists()


def test_an_empty_body_is_an_empty_payload(api: Api) -> None:
    assert Sender(api)(b"").status_code == 201


def test_a_payload_that_is_too_large(api: Api, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    assert_problem(Sender(api)({"who": "x" * 2000}), 413, "too_large")


def test_a_webhook_that_is_off(api: Api) -> None:
    send = Sender(api)
    api("PATCH", f"triggers/{send.id}/", {"enabled": False})
    assert_problem(send({"n": 1}), 409, "conflict")
    schedule = api(
        "POST",
        "triggers/",
        {"workflow": "w", "name": "s", "kind": "schedule", "config": {"cron": "* * * * *"}},
    ).json()
    send.path, send.secret = f"hooks/{schedule['id']}/", ""
    assert_problem(send({"n": 1}), 401, "bad_signature")  # a trigger without a secret is no webhook


def test_a_busy_database_loses_no_delivery(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    send, now = Sender(api), time.time()

    def away(*_args: Any, **_more: Any) -> Any:
        raise OperationalError("away")

    with monkeypatch.context() as patch:
        patch.setattr("workflows.services.firings.start_run", away)
        assert send({"n": 1}, at=now).status_code == 500
    assert not Firing.objects.exists()
    assert send({"n": 1}, at=now).status_code == 201
