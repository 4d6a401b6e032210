"""The operator's console: settings go through the service, and what it refuses is a fault of the form."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from pools.facade import agents
from pools.facade import api as pools
from pools.models import Agent, DeployedAgent, Machine, NodeGroup, Pool
from pools.runtime.base import BUILT_IN_IMAGE
from pools.services.lease_rules import rules_of
from teams.models import AuditEntry
from tests.factories.pools import make_pool, make_team

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
        *(({"requirements": value}, "Requirements are a list") for value in ("7", "true", '"a"', '{"a": 1}')),
        ({"requirements": "[7]"}, "A requirement is one line"),
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


def act(client: Client, pool: Pool, action: str) -> str:
    form = {"action": action, "_selected_action": [str(pool.pk)]}
    return client.post("/admin/pools/pool/", form, follow=True).content.decode()


def test_the_list_has_figures_of_this_moment(admin_client: Client, pool: Pool) -> None:
    store = pools.lease_store()
    store.put_pool(pool.pk, rules_of(pool))
    Pool.objects.filter(pk=pool.pk).update(price="0.25", problem="There is no such image.")
    page = admin_client.get("/admin/pools/pool/").content.decode()
    for figure in ("0 (1)", "1 to 3", "0, 0", "0.25", "trouble"):
        assert figure in page


def test_actions_go_through_the_services(admin_client: Client, pool: Pool) -> None:
    assert "Drained: shown." in act(admin_client, pool, "drain")
    pool.refresh_from_db()
    assert pool.drained_at is not None
    assert pool.drain_by is None, "what runs may finish"
    assert "Resumed: shown." in act(admin_client, pool, "resume")
    pool.refresh_from_db()
    assert pool.drained_at is None
    agent = Agent.objects.create(
        pool=pool, pool_name=pool.name, team=pool.team, state="idle", nonce="n", started_at=datetime.now(UTC)
    )
    assert "Every agent is replaced: shown." in act(admin_client, pool, "recycle")
    agent.refresh_from_db()
    assert agent.state == "idle", "the controller moves agents, not a page"


def test_what_a_service_refuses_is_told(admin_client: Client, pool: Pool) -> None:
    Pool.objects.filter(pk=pool.pk).update(deleted_at=datetime.now(UTC))
    page = act(admin_client, pool, "drain")
    assert "Drained" not in page
    assert "There is no pool" in page


@pytest.mark.parametrize("verb", ["drain_one", "recycle_one", "resume_one"])
def test_a_pools_page_asks_before_it_acts(admin_client: Client, pool: Pool, verb: str) -> None:
    address = f"/admin/pools/pool/{pool.pk}/{verb}/"
    assert admin_client.get(address).status_code == 200
    pool.refresh_from_db()
    assert pool.drained_at is None, "a link alone changes nothing"
    assert admin_client.post(address, {"_form_submitted": "on"}).headers["HX-Redirect"]
    pool.refresh_from_db()
    assert (pool.drained_at is not None) == (verb == "drain_one")


def test_resizing_goes_through_the_service(admin_client: Client, pool: Pool) -> None:
    address = f"/admin/pools/pool/{pool.pk}/resize/"
    dialog = admin_client.get(address).content.decode()
    assert 'value="3"' in dialog
    assert 'for="dialog_max_size"' in dialog, "the page below has an id_max_size of its own"
    refused = {"_form_submitted": "on", "min_size": 9, "max_size": 4}
    assert "It must not be above the maximum (4)." in admin_client.post(address, refused).content.decode()
    done = admin_client.post(address, {"_form_submitted": "on", "min_size": 2, "max_size": 7})
    assert done.headers["HX-Redirect"] == f"/admin/pools/pool/{pool.pk}/change/"
    pool.refresh_from_db()
    assert (pool.min_size, pool.max_size, pool.target_size) == (2, 7, 2)


def test_deployed_agents_are_acted_on_by_their_service(admin_client: Client) -> None:
    team = make_team()
    agents.deploy(team.pk, {"name": "helper", "image": BUILT_IN_IMAGE}, author="ada")
    row = DeployedAgent.objects.get()
    for verb, desired in (("stop", "stopped"), ("start", "running")):
        form = {"action": verb, "_selected_action": [str(row.pk)]}
        page = admin_client.post("/admin/pools/deployedagent/", form, follow=True).content.decode()
        assert f"Asked to {verb}: helper." in page
        row.refresh_from_db()
        assert row.desired == desired
    actions = [entry.action for entry in AuditEntry.objects.filter(team=team, actor="admin")]
    assert sorted(actions) == ["agent.started", "agent.stopped"]


def test_the_console_is_for_staff(client: Client, pool: Pool) -> None:
    person = get_user_model().objects.create_user("ada", password="x")
    client.force_login(person)
    for path in ("/admin/", "/admin/pools/pool/", "/admin/pools/deployedagent/", "/admin/pools/agent/"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (302, "/admin/login/")
    act(client, pool, "drain")
    person.is_staff = True
    person.save()
    person.user_permissions.add(Permission.objects.get(codename="view_pool"))
    assert client.get("/admin/pools/pool/").status_code == 200
    act(client, pool, "drain")
    assert client.get(f"/admin/pools/pool/{pool.pk}/drain_one/").status_code == 403
    assert client.post(f"/admin/pools/pool/{pool.pk}/resize/", {"min_size": 0}).status_code == 403
    pool.refresh_from_db()
    assert pool.drained_at is None


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
