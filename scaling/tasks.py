"""Celery's part: a message that says that simulations wait."""

from __future__ import annotations

from celery import shared_task

from scaling.services.simulations import start_process


@shared_task(name="scaling.simulate")
def simulate() -> None:
    """May be lost or come twice: whoever asks for a simulation sends again, and a claim has one winner."""
    start_process()
