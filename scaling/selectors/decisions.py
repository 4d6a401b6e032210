"""Reads about decisions and policies."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from aflow_site.kernel.errors import NotFound
from scaling.models import ScalingDecision, ScalingPolicy


def decisions_of(team_id: int) -> QuerySet[ScalingDecision]:
    return ScalingDecision.objects.filter(team_id=team_id)


def get_decision(team_id: int, decision_id: int) -> ScalingDecision:
    found = decisions_of(team_id).filter(pk=decision_id).first()
    if found is None:
        raise NotFound("There is no such decision; they are kept for a month.")
    return found


def after(team_id: int, seq: int, most: int) -> list[ScalingDecision]:
    return list(decisions_of(team_id).filter(pk__gt=seq).order_by("pk")[:most])


def newest(team_id: int, most: int) -> list[ScalingDecision]:
    return list(decisions_of(team_id)[:most])


def decision_shape(row: ScalingDecision) -> dict[str, Any]:
    """The JSON shape of REST and of the live stream."""
    return {
        "id": row.pk,
        "pool": row.pool,
        "pool_id": str(row.pool_id),
        "workflow": row.workflow,
        "action": row.action,
        "current_size": row.current_size,
        "target_size": row.target_size,
        "reason": row.reason,
        "explanation": row.explanation,
        "predicted_load": row.predicted_load,
        "signals": row.signals,
        "wish": row.wish,
        "candidates": row.candidates,
        "clamped_by": row.clamped_by,
        "policy": row.policy,
        "mode": row.mode,
        "at": row.at,
    }


def policies_of(team_id: int) -> QuerySet[ScalingPolicy]:
    return ScalingPolicy.objects.filter(team_id=team_id)


def get_policy(team_id: int, policy_id: Any) -> ScalingPolicy:
    found = policies_of(team_id).filter(pk=policy_id).first()
    if found is None:
        raise NotFound("There is no such policy.")
    return found
