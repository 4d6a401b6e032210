from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from django.conf import settings


@pytest.fixture(autouse=True)
def _clean_redis() -> Iterator[None]:
    """These tests look at the whole site, whose keys all of them share."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        yield
