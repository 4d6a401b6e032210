"""How often was decided what: counted in Redis, for /metrics."""

from __future__ import annotations

from functools import cache
from typing import Any

import redis
from django.conf import settings


def counters() -> redis.Redis:
    return _client(settings.REDIS_URL)


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=2)


def counters_key() -> str:
    """Of the hash `action|reason` -> number."""
    return f"aflow:{settings.AFLOW_INSTANCE}:scaling:decisions"


def counted() -> dict[tuple[str, str], int]:
    """By action and reason. Raises `redis.RedisError`."""
    found: Any = counters().hgetall(counters_key())
    parts = ((field.decode().partition("|"), int(number)) for field, number in found.items())
    return {(action, reason): number for (action, _, reason), number in parts}
