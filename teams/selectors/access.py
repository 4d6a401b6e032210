"""Who may act for which team. Answers are `TeamContext`, or None when nobody may."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from django.db.models import F

from teams.domain.roles import Role
from teams.facade.contracts import TeamContext, TeamSummary
from teams.models import ApiToken, Membership, Team


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def by_token(token: str) -> TeamContext | None:
    """The token's team, with the lesser of the token's role and its owner's role today."""
    tokens = ApiToken.objects.filter(sha256=token_hash(token), user__memberships__team=F("team"))
    row = tokens.annotate(held=F("user__memberships__role")).select_related("team", "user").first()
    if row is None or not row.user.is_active:
        return None
    granted, held = Role(row.role), Role(row.held)
    role = granted if held.includes(granted) else held
    return TeamContext(
        id=row.team_id,
        slug=row.team.slug,
        name=row.team.name,
        role=role,
        user_id=row.user_id,
        username=row.user.get_username(),
        staff=row.user.is_staff,
    )


def by_session(user_id: int, username: str, team_slug: str | None) -> TeamContext | None:
    """The named team, or the user's first one; None when the user is no member of it."""
    memberships = Membership.objects.select_related("team", "user").filter(user_id=user_id).order_by("id")
    if team_slug:
        memberships = memberships.filter(team__slug=team_slug)
    row = memberships.first()
    if row is None:
        return None
    return TeamContext(
        id=row.team_id,
        slug=row.team.slug,
        name=row.team.name,
        role=Role(row.role),
        user_id=user_id,
        username=username,
        staff=row.user.is_staff,
    )


def teams_of(user_id: int) -> list[TeamSummary]:
    rows = Membership.objects.select_related("team").filter(user_id=user_id).order_by("id")
    return [
        TeamSummary(id=row.team_id, slug=row.team.slug, name=row.team.name, role=Role(row.role))
        for row in rows
    ]


def team_ids(slugs: Iterable[str]) -> dict[str, int]:
    """The ids of those teams that there are, by slug."""
    return dict(Team.objects.filter(slug__in=list(slugs)).values_list("slug", "id"))


def slugs_of(ids: Iterable[int]) -> dict[int, str]:
    """The slugs of those teams that there are, by id."""
    return dict(Team.objects.filter(pk__in=set(ids)).values_list("pk", "slug"))
