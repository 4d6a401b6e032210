"""`python manage.py run_simulations`: runs the simulations that wait, then ends."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand

from scaling.services.simulating import work_off

NICE = 10  # agents and executors go first


class Command(BaseCommand):
    help = "Runs the simulations that wait, one after another, then ends."

    def handle(self, *args: Any, **options: Any) -> None:
        os.nice(NICE)
        self.stdout.write(f"{work_off()} simulations run.")
