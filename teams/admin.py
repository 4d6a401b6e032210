"""The operators' console of people: teams, their members, tokens, and what was done."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from aflow_site.api.console import ReadOnly
from teams.models import ApiToken, AuditEntry, Membership, Team

User = get_user_model()
admin.site.unregister(User)
admin.site.unregister(Group)  # roles are a team's, by membership


@admin.register(User)
class PersonAdmin(UserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Team)
class TeamAdmin(ModelAdmin):
    list_display = ("name", "slug", "created_at")


@admin.register(Membership)
class MembershipAdmin(ModelAdmin):
    list_display = ("user", "team", "role")
    list_filter = ("team", "role")


@admin.register(ApiToken)
class ApiTokenAdmin(ModelAdmin):
    list_display = ("name", "prefix", "team", "user", "role", "created_at")
    exclude = ("sha256",)

    def has_add_permission(self, request: object) -> bool:
        return False  # a token is shown once, when it is issued; a form cannot do that


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly):
    list_display = ("at", "team", "actor", "via", "action", "target")
    list_filter = ("team", "via")
