"""The settings of triggers, their faults, and the params that they make."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from workflows.domain.triggers import Kind, ScheduleConfig, faults_of, params_from, read_config
from workflows.domain.webhooks import is_recent, is_signed, sign
from workflows.domain.work import ExpressionError

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def paths(kind: Kind, config: Any, params: Any = None) -> list[str]:
    return [fault.path for fault in faults_of(kind, config, {} if params is None else params, NOW)]


@pytest.mark.parametrize(
    ("kind", "config", "at_fault"),
    [
        (Kind.SCHEDULE, {"cron": "0 2 * * *"}, []),
        (Kind.SCHEDULE, {"cron": "0 2 * * *", "timezone": "Europe/Berlin", "catch_up": "all"}, []),
        (Kind.SCHEDULE, {"cron": "0 2 * * *", "overlap": "allow"}, []),
        (Kind.SCHEDULE, {}, ["config.cron"]),
        (Kind.SCHEDULE, {"cron": "0 0 30 2 *"}, ["config.cron"]),
        (Kind.SCHEDULE, {"cron": 5}, ["config.cron"]),
        (Kind.SCHEDULE, {"cron": "0 2 * * *", "timezone": "Europe/Berlim"}, ["config.timezone"]),
        (Kind.SCHEDULE, {"cron": "0 2 * * *", "timezone": "../UTC"}, ["config.timezone"]),
        (
            Kind.SCHEDULE,
            {"cron": "0 2 * * *", "catch_up": "some", "overlap": "x", "more": 1},
            ["config.catch_up", "config.overlap", "config.more"],
        ),
        (Kind.WEBHOOK, {}, []),
        (Kind.WEBHOOK, {"map": {"n": "${body.n}", "who": '${headers["x-sender"]}'}}, []),
        (Kind.WEBHOOK, {"map": {"n": "${params.n}"}}, ["config.map.n"]),
        (Kind.WEBHOOK, {"map": {"n": {"deep": ["${body.("]}}}, ["config.map.n.deep[0]"]),
        (Kind.WEBHOOK, {"map": {"n": "${body.n"}}, ["config.map.n"]),
        (Kind.WEBHOOK, {"signature_header": "X Y"}, ["config.signature_header"]),
        (Kind.EVENT, {"workflow": "w", "states": ["completed"], "map": {"x": "${run.output}"}}, []),
        (Kind.EVENT, {"workflow": "w", "states": []}, ["config.states"]),
        (Kind.EVENT, {"workflow": "W!", "states": ["running"]}, ["config.workflow", "config.states[0]"]),
        (Kind.EVENT, {"workflow": "w", "states": ["failed"], "map": {"x": "${body}"}}, ["config.map.x"]),
        (Kind.EVENT, [], ["config"]),
    ],
)
def test_faults(kind: Kind, config: Any, at_fault: list[str]) -> None:
    assert paths(kind, config) == at_fault


def test_params_are_an_object_and_named_once() -> None:
    assert paths(Kind.WEBHOOK, {}, [1]) == ["params"]
    assert paths(Kind.WEBHOOK, {"map": {"n": "${body.n}"}}, {"n": 1}) == ["config.map.n"]


def test_a_zone_that_is_nearly_right() -> None:
    fault = faults_of(Kind.SCHEDULE, {"cron": "0 2 * * *", "timezone": "Europe/Berlim"}, {}, NOW)[0]
    assert "did you mean Europe/Berlin?" in fault.message


def test_what_is_left_out() -> None:
    config = read_config(Kind.SCHEDULE, {"cron": "0 2 * * *"})
    assert isinstance(config, ScheduleConfig)
    assert (config.timezone, config.catch_up, config.overlap) == ("UTC", "last", "queue")


def test_params_come_from_the_payload_and_the_trigger() -> None:
    mapping = {"n": "${body.size * 2}", "text": "from ${body.who}", "list": ["${body.who}"]}
    scope = {"body": {"size": 4, "who": "ann"}}
    assert params_from(mapping, {"env": "prod"}, scope) == {
        "n": 8,
        "text": "from ann",
        "list": ["ann"],
        "env": "prod",
    }
    with pytest.raises(ExpressionError, match=r"^n: .*size"):
        params_from(mapping, {}, {"body": {}})


def test_signatures() -> None:
    # Computed with: printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
    known = "sha256=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686"
    body = b'{"a":1}'
    assert sign("secret", "1700000000", body) == known
    assert is_signed("secret", "1700000000", body, known)
    for secret, timestamp, content, signature in [
        ("other", "1700000000", body, known),
        ("secret", "1700000001", body, known),
        ("secret", "1700000000", b'{"a":2}', known),
        ("secret", "1700000000", body, known.removeprefix("sha256=")),
        ("secret", "1700000000", body, known.upper()),
        ("secret", "1700000000", body, "é"),
        ("secret", "1700000000", body, ""),
    ]:
        assert not is_signed(secret, timestamp, content, signature)


@pytest.mark.parametrize(
    ("timestamp", "recent"),
    [
        (str(int(NOW.timestamp())), True),
        (str(int(NOW.timestamp()) - 300), True),
        (str(int(NOW.timestamp()) + 300), True),
        (str(int(NOW.timestamp()) - 301), False),
        (str(int(NOW.timestamp()) + 301), False),
        ("-1", False),
        ("", False),
        ("1e9", False),
        ("9" * 400, False),
        ("٣", False),
    ],
)
def test_how_old_a_delivery_may_be(timestamp: str, recent: bool) -> None:
    assert is_recent(timestamp, NOW) is recent
