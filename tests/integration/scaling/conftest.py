from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from django.conf import settings


@pytest.fixture(autouse=True)
def _clean_redis() -> Iterator[None]:
    """These tests look at the whole site, whose keys all of them share. Redis is other processes', too."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        for key in client.scan_iter(f"aflow:{settings.AFLOW_INSTANCE}:*"):
            client.delete(key)
        yield
