"""Celery's part in alerts. The message says which delivery to look at; its row says whether there is one to
make, and when to try again."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

from celery import shared_task
from django.db import connections

from teams.services.alerts.deliveries import deliver

log = logging.getLogger(__name__)

# A receiver may be slow, and nudges for runs come through the same worker.
_senders = ThreadPoolExecutor(max_workers=2, thread_name_prefix="alerts")


@shared_task(name="teams.deliver_alert")
def deliver_alert(delivery_id: int) -> None:
    """May be lost or come twice: the controller finds what is due, and an attempt is made by one."""
    _senders.submit(_deliver, delivery_id)


def _deliver(delivery_id: int) -> None:
    try:
        deliver(delivery_id)
    except Exception:  # nobody asks what became of the thread's work
        log.exception("delivery %d broke off; it is tried again", delivery_id)
    finally:
        connections.close_all()
