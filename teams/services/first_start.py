"""The first start: one team, one administrator, one token."""

from __future__ import annotations

import secrets

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils.text import slugify

from teams.domain.roles import Role
from teams.facade.contracts import FirstTeam
from teams.models import ApiToken, Membership, Team
from teams.selectors.access import token_hash


def issue_token(*, team_id: int, user_id: int, role: Role, name: str) -> str:
    """A new token in clear; it cannot be read again."""
    token = "aft_" + secrets.token_urlsafe(32)
    ApiToken.objects.create(
        team_id=team_id, user_id=user_id, role=role, name=name, prefix=token[:10], sha256=token_hash(token)
    )
    return token


@transaction.atomic
def bootstrap_first_team(*, team_name: str, username: str, password: str) -> FirstTeam:
    """Makes (or repairs) the first team and its administrator, and issues a fresh token for the CLI."""
    team, _ = Team.objects.get_or_create(slug=slugify(team_name) or "team", defaults={"name": team_name})
    user, _ = get_user_model().objects.get_or_create(
        username=username, defaults={"is_staff": True, "is_superuser": True}
    )
    user.set_password(password)
    user.save()
    Membership.objects.update_or_create(team=team, user=user, defaults={"role": Role.ADMIN})
    ApiToken.objects.filter(team=team, user=user, name="first start").delete()
    token = issue_token(team_id=team.pk, user_id=user.pk, role=Role.ADMIN, name="first start")
    return FirstTeam(team_id=team.pk, token=token)
