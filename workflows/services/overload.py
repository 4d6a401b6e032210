"""How much may wait: beyond that new runs are refused, so that what was accepted is done.

Does not: hold up what accepted runs start themselves, or what triggers were set for.
"""

from __future__ import annotations

import math
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from aflow_site.kernel.errors import Overloaded
from workflows.domain.states import RunState
from workflows.models import Run

LOOK_BACK = 60  # seconds
LONGEST_AWAY = 60  # seconds after which anybody may ask again


class TooManyRuns(Overloaded):
    code = "too_many_runs"
    title = "Too much waits already"


def check_room(team_id: int) -> None:
    """Raises `TooManyRuns`, whose Retry-After is when a run should have ended, by how many lately did."""
    most = settings.AFLOW_RUNS_OPEN
    open_runs = Run.objects.filter(team_id=team_id, state__in=(RunState.PENDING, RunState.RUNNING))
    if not open_runs.order_by()[most - 1 : most].exists():
        return
    raise TooManyRuns(
        f"{most:,} runs of this team are under way or wait for their turn, and no more may. What was "
        "accepted will be done; come back then.",
        headers={"Retry-After": str(_until_one_ends(team_id))},
    )


def _until_one_ends(team_id: int) -> int:
    since = timezone.now() - timedelta(seconds=LOOK_BACK)
    ended = Run.objects.filter(team_id=team_id, finished_at__gte=since).count()
    return min(LONGEST_AWAY, max(1, math.ceil(LOOK_BACK / ended))) if ended else LONGEST_AWAY
