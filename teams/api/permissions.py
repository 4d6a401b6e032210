"""Roles, checked on every endpoint: a view says which role each method needs."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from aflow_site.kernel.errors import NotAllowed, NotAuthenticated
from teams.domain.roles import Role

DEFAULT_ROLES = {
    "GET": "viewer",
    "HEAD": "viewer",
    "OPTIONS": "viewer",
    "POST": "editor",
    "PUT": "editor",
    "PATCH": "editor",
    "DELETE": "editor",
}


class TeamRolePermission(BasePermission):
    """`required_roles` of a view maps HTTP methods to roles; `DEFAULT_ROLES` fills the gaps.

    `staff_only` names methods that need one of the platform's staff besides: what they act on belongs to no
    team.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        team = getattr(request, "team", None)
        if team is None:
            raise NotAuthenticated("Send `Authorization: Token …`, or log in.")
        method = request.method or "GET"
        needed = Role({**DEFAULT_ROLES, **getattr(view, "required_roles", {})}.get(method, "admin"))
        if not team.role.includes(needed):
            raise NotAllowed(
                f"This needs the role {needed.value} in {team.name}; yours is {team.role.value}."
            )
        if method in getattr(view, "staff_only", ()) and not team.staff:
            raise NotAllowed(
                "All teams share this: it is for the platform's staff alone. Ask one of them, or to be made "
                "one in the console (/admin/)."
            )
        return True
