"""The operator's console: settings go through the service, and what it refuses is a fault of the form."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from pools.models import Machine, NodeGroup, Pool
from tests.factories.pools import make_pool

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pool() -> Pool:
    return make_pool(name="shown", min_size=1, max_size=3)


def change(client: Client, pool: Pool, **values: Any) -> tuple[int, str]:
    form = {**pool.settings, "env": "{}", "secrets": "[]", "warm_up": "on", **values}
    answer = client.post(f"/admin/pools/pool/{pool.pk}/change/", form)
    return answer.status_code, answer.content.decode()


def test_a_change_goes_through_the_service(admin_client: Client, pool: Pool) -> None:
    status, page = change(admin_client, pool, min_size=2, max_size=5)
    assert status == 302, page
    pool.refresh_from_db()
    assert (pool.min_size, pool.max_size, pool.target_size) == (2, 5, 2)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"max_size": 5000}, "It must be between 1 and 1000."),
        ({"max_uses": 10**10}, "It must be between 1 and 1000000000."),
        ({"min_size": 9}, "It must not be above max_size (3)."),
        ({"idle_timeout": 0}, "It must be more than 0 seconds and at most 30 days."),
        ({"max_size": 10**20}, "errorlist"),
        ({"max_size": "many"}, "Enter a whole number."),
        ({"memory_threshold": 2}, "It must be between 0.05 and 1 of the memory limit."),
        ({"env": '{"1A": "x"}'}, "cannot name a variable"),
        ({"assignment": "random"}, "errorlist"),
    ],
)
def test_what_the_service_refuses_is_shown(
    admin_client: Client, pool: Pool, values: dict[str, Any], sentence: str
) -> None:
    status, page = change(admin_client, pool, **values)
    assert status == 200
    assert sentence in page
    pool.refresh_from_db()
    assert (pool.min_size, pool.max_size, pool.max_uses) == (1, 3, 100)


def test_a_deleted_pool_can_only_be_looked_at(admin_client: Client, pool: Pool) -> None:
    Pool.objects.filter(pk=pool.pk).update(deleted_at=datetime.now(UTC))
    assert admin_client.get(f"/admin/pools/pool/{pool.pk}/change/").status_code == 200
    assert change(admin_client, pool, max_size=5)[0] == 403
    assert admin_client.post(f"/admin/pools/pool/{pool.pk}/delete/", {"post": "yes"}).status_code == 403


def test_deleting_goes_through_the_service(admin_client: Client, pool: Pool) -> None:
    answer = admin_client.post(f"/admin/pools/pool/{pool.pk}/delete/", {"post": "yes"})
    assert answer.status_code == 302
    pool.refresh_from_db()
    assert pool.deleted_at is not None


def test_rented_machines_and_their_groups_are_looked_at(admin_client: Client) -> None:
    group = NodeGroup.objects.create(name="workers", provider="fake")
    machine = Machine.objects.create(
        group=group, group_name="workers", capacity_type="spot", ref="i-0abc", requested_at=datetime.now(UTC)
    )
    for path, shown in (
        ("machine/", "i-0abc"),
        (f"machine/{machine.pk}/change/", "i-0abc"),
        ("nodegroup/", "workers"),
    ):
        page = admin_client.get(f"/admin/pools/{path}")
        assert page.status_code == 200
        assert shown in page.content.decode()
    assert admin_client.post(f"/admin/pools/nodegroup/{group.pk}/change/", {"max": 3}).status_code == 403
    assert admin_client.get("/admin/pools/nodegroup/add/").status_code == 403
