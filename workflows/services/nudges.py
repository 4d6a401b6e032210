"""Messages that make things happen sooner. Each may be lost: the database says what there is to do."""

from __future__ import annotations

import logging
from functools import cache
from uuid import UUID

from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError
from redis import Redis, RedisError

log = logging.getLogger(__name__)

CONTROL_CHANNEL = "aflow:runs:cancel"


def run_group(run_id: UUID) -> str:
    """The channel-layer group of a run's websockets."""
    return f"run.{run_id}"


def nudge(run_id: UUID) -> None:
    """Tells some executor to look at the run. When the broker is away, the controller's timer will."""
    try:
        current_app.send_task("workflows.look_at", args=[str(run_id)], retry=False)
    except OperationalError as exc:
        log.warning("no nudge for run %s, the broker is away: %s", run_id, exc)


@cache
def _redis() -> Redis:
    return Redis.from_url(settings.REDIS_URL, socket_timeout=2)


def tell_driver(run_id: UUID) -> None:
    """Tells the run's driver to stop; its own beat finds the request within a second otherwise."""
    try:
        _redis().publish(CONTROL_CHANNEL, str(run_id))
    except RedisError as exc:
        log.warning("the driver of run %s is not told, Redis is away: %s", run_id, exc)
