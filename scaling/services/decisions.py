"""Writing decisions, counting them, and forgetting the old ones."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from pools.facade.contracts import PoolLoad
from scaling.domain.decisions import Decision, Signals, as_record, signals_from
from scaling.domain.explaining import explain
from scaling.domain.policies import Policy
from scaling.domain.scaler import decide
from scaling.models import ScalingDecision
from scaling.selectors.counts import counters, counters_key

log = logging.getLogger(__name__)

KEPT = timedelta(days=30)
PAGE = 1000


def group(team_id: int) -> str:
    """The channel-layer group of a team's live decisions."""
    return f"scaling.{team_id}"


@dataclass(frozen=True, slots=True)
class Made:
    load: PoolLoad
    policy: Policy
    signals: Signals
    decision: Decision

    def row(self) -> ScalingDecision:
        decision, forecast = self.decision, self.signals.forecast
        return ScalingDecision(
            team_id=self.load.team_id,
            pool_id=self.load.pool_id,
            pool=self.load.name,
            workflow=self.load.workflow,
            at=datetime.fromtimestamp(self.signals.at, UTC),
            action=decision.action,
            reason=decision.reason,
            current_size=decision.current_size,
            target_size=decision.target_size,
            wish=decision.wish,
            explanation=explain(self.signals, self.policy, decision)[:500],
            predicted_load=forecast.load if forecast else None,
            signals=as_record(self.signals),
            candidates=dict(decision.candidates),
            clamped_by=list(decision.clamped_by),
            policy={**asdict(self.policy), "metrics": list(self.policy.metrics)},
            mode=self.policy.mode,
        )


def record(made: Sequence[Made]) -> None:
    """Keeps them, and tells those who watch."""
    if not made:
        return
    ScalingDecision.objects.bulk_create([one.row() for one in made])
    layer = get_channel_layer()
    for team_id in {one.load.team_id for one in made}:
        try:
            async_to_sync(layer.group_send)(group(team_id), {"type": "decisions.made"})
        except (redis.RedisError, OSError) as exc:
            log.warning("decisions are not told, Redis is away: %s", exc)


def replay(row: ScalingDecision) -> tuple[bool, Decision]:
    """What is decided on the same signals by the same policy now, and whether it is what was decided then."""
    policy = Policy(**{**row.policy, "metrics": tuple(row.policy["metrics"])})
    again = decide(signals_from(row.signals), policy)
    before = (row.action, row.reason, row.target_size, row.wish, row.candidates, row.clamped_by)
    now = (again.action, again.reason, again.target_size, again.wish, dict(again.candidates))
    return before == (*now, list(again.clamped_by)), again


def forget(now: datetime) -> None:
    """Decisions of more than a month ago, a page at a time."""
    while True:
        old = ScalingDecision.objects.filter(at__lt=now - KEPT).order_by("at").values_list("pk", flat=True)
        page = list(old[:PAGE])
        ScalingDecision.objects.filter(pk__in=page).delete()
        if len(page) < PAGE:
            return


def count(made: Iterable[Decision]) -> None:
    """Every evaluation counts, also those of which no row is kept. Raises `redis.RedisError`."""
    pipe = counters().pipeline(transaction=False)
    for (action, reason), number in Counter((one.action, one.reason) for one in made).items():
        pipe.hincrby(counters_key(), f"{action}|{reason}", number)
    pipe.execute()
