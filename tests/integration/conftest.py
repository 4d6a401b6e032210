from __future__ import annotations

from collections.abc import Iterator

import pytest
from asgiref.sync import SyncToAsync
from django.db import connections


@pytest.fixture(scope="session", autouse=True)
def _connections_of_async_code(django_db_setup: None) -> Iterator[None]:
    """PostgreSQL will not drop a database with a session in it; async code's thread keeps one open."""
    yield
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()
