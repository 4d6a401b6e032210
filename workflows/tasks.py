"""Celery's part: nudges. The message says which run to look at; the database says what there is to do."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import shared_task
from celery.signals import worker_ready, worker_shutdown

from workflows.engine.host import Engine

_engine: Engine | None = None


@shared_task(name="workflows.look_at")
def look_at(run_id: str) -> None:
    """May be lost or come twice: the controller finds unclaimed runs, and a claim has one winner."""
    if _engine is not None:
        _engine.nudge(UUID(run_id))


@worker_ready.connect
def _start_engine(**_kwargs: Any) -> None:
    global _engine
    _engine = Engine()
    _engine.start()


@worker_shutdown.connect
def _stop_engine(**_kwargs: Any) -> None:
    if _engine is not None:
        _engine.stop()
