"""What is forecast, held against what came: the shapes of the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from scaling.domain.forecasting.outlook import QUANTILE, SENTENCES, Why
from scaling.domain.rollup import WIDTH, loads_of, number_of
from scaling.models import PoolForecast, ScalingDecision
from scaling.selectors.arrivals import bins_of, forecasts_of

OLD = timedelta(minutes=5)  # what nobody renews is not heeded
BEFORE = 60  # bins that tell how long leases last


def forecasts_of_team(team_id: int) -> QuerySet[PoolForecast]:
    return PoolForecast.objects.filter(team_id=team_id)


def forecast_shape(pool: str, pool_id: UUID, row: PoolForecast | None, now: datetime) -> dict[str, Any]:
    """`row` None: nothing is forecast of the pool."""
    found = row.outlook if row is not None else {}
    guess = found.get("guess") or {}
    on, why = found.get("on", False), found.get("why", Why.NOT_ASKED.value)
    if row is not None and now - row.at > OLD:
        on, why = False, Why.MISSING.value
    horizon = found.get("horizon")
    return {
        "pool": pool,
        "pool_id": pool_id,
        "on": on,
        "why": why,
        "explanation": f"The forecast is {'a floor of the size' if on else 'not heeded'}: {SENTENCES[why]}.",
        "predictor": row.predictor if row is not None else None,
        "serving": found.get("serving"),
        "quantile": QUANTILE,
        "coverage": found.get("coverage"),
        "horizon": None if horizon is None else horizon * WIDTH,
        "load": guess.get("high"),
        "median": guess.get("median"),
        "floor": None if row is None else _floor(pool_id, now),
        "forecasters": found.get("standings", []),
        "at": row.at if row is not None else None,
    }


def _floor(pool_id: UUID, now: datetime) -> int | None:
    """What the last decision had of it: the policy says how many agents such a load needs."""
    decisions = ScalingDecision.objects.filter(pool_id=pool_id, at__gte=now - OLD)
    forecast = (decisions.values_list("signals", flat=True).first() or {}).get("forecast")
    return forecast["floor"] if forecast else None


def series(pool_id: UUID, now: datetime, hours: int) -> list[dict[str, Any]]:
    """Minute by minute, the oldest first."""
    end = number_of(now.timestamp()) + 1
    first = end - hours * round(3600 / WIDTH)
    loads = loads_of(bins_of(pool_id, first - BEFORE, end))[BEFORE:]
    points = []
    for place, told in enumerate(forecasts_of(pool_id, first, end)):
        high, median, came, forecaster = told or (None, None, None, None)
        points.append(
            {
                "at": datetime.fromtimestamp((first + place) * WIDTH, UTC),
                "load": loads[place],
                "forecast": high,
                "median": median,
                "came": came,
                "forecaster": forecaster,
            }
        )
    return points
