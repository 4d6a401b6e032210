"""What probes, scrapers and tools ask of the site itself."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from kombu.exceptions import OperationalError
from prometheus_client.parser import text_string_to_metric_families

from aflow_site.kernel.ids import new_id
from pools.facade import api as pools
from teams.models import Team
from tests.integration.workflows.harness import make_run, task
from workflows.models import Run
from workflows.services import claims

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


def test_alive() -> None:
    assert Client().get("/healthz").json() == {"status": "ok"}


def test_ready_needs_every_dependency(settings: Any) -> None:
    settings.AFLOW_RUNTIME = "process"
    silent = Client().get("/readyz")
    assert silent.status_code == 503
    assert "executor" in silent.json()["checks"]["executors"]
    claims.beat(new_id(), "one", timezone.now())
    ready = Client().get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert set(ready.json()["checks"]) == {"database", "redis", "broker", "runtime", "executors"}
    settings.REDIS_URL = settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    broken = Client().get("/readyz").json()["checks"]
    assert broken["redis"] != "ok"
    assert broken["broker"] != "ok"
    assert broken["database"] == "ok"


def samples() -> dict[str, float]:
    """Every sample of a scrape, by its name and labels as text."""
    text = Client().get("/metrics").content.decode()
    return {
        sample.name + str(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_tell_what_the_rows_tell() -> None:
    team = Team.objects.create(slug="m", name="M")
    pools.ensure_default_pool(team.pk)
    for state, count in (("completed", 3), ("failed", 2), ("running", 1)):
        for _ in range(count):
            Run.objects.filter(pk=make_run(task("a"))).update(state=state)
    found = samples()
    assert found["agentainer_runs_total[('state', 'completed')]"] == 3
    assert found["agentainer_runs_total[('state', 'failed')]"] == 2
    assert found["agentainer_runs_live[('state', 'running')]"] == 1
    assert found["agentainer_pool_size[('pool', 'python'), ('state', 'idle')]"] == 0
    assert found["agentainer_pool_utilization[('pool', 'python')]"] == 0


def test_the_api_describes_itself_without_a_warning(tmp_path: Path) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "openapi.yaml"))
    assert "openapi: 3.1.0" in (tmp_path / "openapi.yaml").read_text()


def test_nudges_go_to_our_broker(settings: Any) -> None:
    assert current_app.conf.broker_url == settings.CELERY_BROKER_URL
    assert current_app.conf.task_acks_late is False


@pytest.fixture
def hanging_up() -> Iterator[tuple[int, list[int]]]:
    """The port of a server that hangs up on everybody, and the ports of those who called."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        callers: list[int] = []

        def serve() -> None:
            while True:
                try:
                    connection, (_, port) = server.accept()
                except OSError:  # the test is over
                    return
                connection.close()
                callers.append(port)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], callers
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def test_a_broker_that_is_away_is_called_once(hanging_up: tuple[int, list[int]]) -> None:
    """A person waits while a run is nudged; the run is found without it."""
    port, callers = hanging_up
    broker = current_app.connection_for_write(f"redis://127.0.0.1:{port}/0")
    with broker, pytest.raises(OperationalError):
        current_app.send_task("workflows.look_at", args=["x"], retry=False, connection=broker)
    assert len(callers) == 1


def test_no_model_is_ahead_of_its_migrations() -> None:
    call_command("makemigrations", "--check", "--dry-run")
