"""What came to each pool, minute by minute, and what had been forecast of it: one row for each hour."""

from __future__ import annotations

from django.db import models


class ArrivalHour(models.Model):
    """`hour` since the epoch. `bins` has a place for each minute: [arrived, ended, held_seconds, peak] of
    leases, or null where nobody watched. The counters are those at the end of `last`, the newest bin that is
    told here, by its number since the epoch. Pools may be gone."""

    id = models.BigAutoField(primary_key=True)
    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="+")
    pool_id = models.UUIDField()
    hour = models.PositiveBigIntegerField()
    bins = models.JSONField()
    last = models.PositiveBigIntegerField()
    asked = models.BigIntegerField()
    ended = models.BigIntegerField()
    held_seconds = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pool_id", "hour"], name="arrivals_once_per_hour")]
        indexes = [models.Index(fields=["hour"], name="arrivals_hour")]

    def __str__(self) -> str:
        return f"{self.pool_id}: hour {self.hour}"


class ForecastHour(models.Model):
    """`bins` has a place for each minute: [high, median, came, forecaster] of the horizon that began with it,
    in busy places; or null."""

    id = models.BigAutoField(primary_key=True)
    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="+")
    pool_id = models.UUIDField()
    hour = models.PositiveBigIntegerField()
    bins = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pool_id", "hour"], name="forecasts_once_per_hour")]
        indexes = [models.Index(fields=["hour"], name="forecasts_hour")]

    def __str__(self) -> str:
        return f"{self.pool_id}: hour {self.hour}"


class PoolForecast(models.Model):
    """What is forecast of a pool now, whether that is heeded, and how good each forecaster was lately:
    `outlook` as `scaling.domain.forecasting.outlook` has it."""

    pool_id = models.UUIDField(primary_key=True)
    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, related_name="+")
    pool = models.CharField(max_length=128)
    predictor = models.CharField(max_length=16)
    outlook = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["pool"]
        indexes = [models.Index(fields=["team", "pool"], name="forecast_team")]

    def __str__(self) -> str:
        return self.pool
