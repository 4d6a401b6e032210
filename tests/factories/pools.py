"""Rows for tests of pools."""

from __future__ import annotations

from itertools import count
from typing import Any

from pools.models import Pool
from pools.runtime.base import BUILT_IN_IMAGE
from teams.models import Team

_numbers = count(1)


def make_team() -> Team:
    number = next(_numbers)
    return Team.objects.create(slug=f"pool-team-{number}", name=f"Pool team {number}")


def make_pool(team: Team | None = None, **values: Any) -> Pool:
    """A warm pool of one to three built-in agents, unless `values` say otherwise."""
    settings: dict[str, Any] = {"min_size": 1, "max_size": 3, "image": BUILT_IN_IMAGE, **values}
    settings.setdefault("name", f"pool-{next(_numbers)}")
    settings.setdefault("target_size", settings["min_size"] if settings.get("warm_up", True) else 0)
    return Pool.objects.create(team=team or make_team(), **settings)
