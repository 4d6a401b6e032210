"""The operator's console: everything to be seen; settings to be changed through the service alone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from pools.facade import api as pools
from pools.models import Agent, Pool

SETTINGS = ("min_size", "max_size", "warm_up", "max_uses", "idle_timeout")


@admin.register(Pool)
class PoolAdmin(admin.ModelAdmin):
    list_display = ("name", "team", "image", "min_size", "max_size", "target_size", "problem")
    list_filter = ("team", "warm_up")
    search_fields = ("name", "image", "workflow")
    readonly_fields = ("team", "name", "image", "target_size", "workflow", "problem", "deleted_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # the API makes pools, with every check

    def save_model(self, request: HttpRequest, obj: Pool, form: Any, change: bool) -> None:
        pools.update_pool(obj.team_id, obj.name, {name: getattr(obj, name) for name in SETTINGS})

    def delete_model(self, request: HttpRequest, obj: Pool) -> None:
        pools.delete_pool(obj.team_id, obj.name)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for pool in queryset:
            self.delete_model(request, pool)


@admin.register(Agent)
class AgentAdmin(admin.ModelAdmin):
    list_display = ("id", "pool_name", "team", "state", "uses", "started_at", "ended_at", "end_reason")
    list_filter = ("state", "end_reason", "team")
    search_fields = ("id", "pool_name", "container")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Agent | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Agent | None = None) -> bool:
        return False
