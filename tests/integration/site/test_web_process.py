"""What a web process keeps, as the platform starts it."""

from __future__ import annotations

import httpx
import psutil
import pytest
from channels.db import database_sync_to_async

from teams.domain.roles import Role
from tests.factories.pools import make_team
from tests.fakes.deployed import Person
from tests.fakes.web import web_process

pytestmark = pytest.mark.django_db(transaction=True)

REQUESTS = 100


async def test_requests_leave_no_database_connection_open() -> None:
    token = await database_sync_to_async(lambda: Person(make_team(), Role.VIEWER).token)()
    headers = {"Authorization": f"Token {token}"}
    async with (
        web_process() as web,
        httpx.AsyncClient(headers=headers, trust_env=False, timeout=60) as client,
    ):
        process, open_files = psutil.Process(web.pid), []
        for _ in range(REQUESTS):
            answer = await client.get(f"http://127.0.0.1:{web.port}/api/v1/workflows/")
            assert answer.status_code == 200
            open_files.append(process.num_fds())
        assert max(open_files[20:]) <= max(open_files[:20]) + 3
