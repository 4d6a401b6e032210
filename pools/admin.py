"""The operator's console: everything to be seen; settings to be changed through the service alone."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from pools.domain.settings import DEFAULTS, faults_of
from pools.facade import api as pools
from pools.models import Agent, Machine, Node, NodeGroup, Pool

SETTINGS = tuple(DEFAULTS)


class PoolForm(forms.ModelForm):
    """Knows the service's limits, so that a setting beyond them is a fault of its field."""

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        # Of a field that was refused, what was there before.
        values = {"image": self.instance.image, **self.instance.settings}
        values |= {name: given[name] for name in SETTINGS if given.get(name) is not None}
        for fault in faults_of(values):
            self.add_error(fault.path if fault.path in self.fields else None, fault.message)
        return given


@admin.register(Pool)
class PoolAdmin(admin.ModelAdmin):
    form = PoolForm
    list_display = ("name", "team", "image", "min_size", "max_size", "target_size", "problem")
    list_filter = ("team", "warm_up")
    search_fields = ("name", "image", "workflow")
    readonly_fields = (
        "team",
        "name",
        "image",
        "target_size",
        "workflow",
        "weight",
        "price",
        "problem",
        "problem_kind",
        "drained_at",
        "drain_by",
        "deleted_at",
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # the API makes pools, with every check

    def has_change_permission(self, request: HttpRequest, obj: Pool | None = None) -> bool:
        return super().has_change_permission(request, obj) and _lives(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Pool | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _lives(obj)

    def save_model(self, request: HttpRequest, obj: Pool, form: Any, change: bool) -> None:
        values = {name: getattr(obj, name) for name in SETTINGS}
        pools.update_pool(
            obj.team_id, obj.name, {**values, "env": values["env"] or {}, "secrets": values["secrets"] or []}
        )

    def delete_model(self, request: HttpRequest, obj: Pool) -> None:
        pools.delete_pool(obj.team_id, obj.name)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for pool in queryset:
            self.delete_model(request, pool)


def _lives(pool: Pool | None) -> bool:
    """A deleted pool can be looked at until its last agent has gone."""
    return pool is None or pool.deleted_at is None


class LookedAt(admin.ModelAdmin):
    """Nothing is made, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Agent)
class AgentAdmin(LookedAt):
    list_display = ("id", "pool_name", "team", "state", "uses", "started_at", "ended_at", "end_reason")
    list_filter = ("state", "end_reason", "team")
    search_fields = ("id", "pool_name", "container")


@admin.register(Node)
class NodeAdmin(LookedAt):
    """A mirror: the engine alone changes nodes."""

    list_display = ("name", "address", "state", "cpus", "price", "capacity_type", "zone", "changed_at")
    list_filter = ("state", "capacity_type", "zone")
    search_fields = ("name", "address")


@admin.register(NodeGroup)
class NodeGroupAdmin(LookedAt):
    """The API changes them, with every check."""

    list_display = ("name", "provider", "min", "max", "prefer_spot", "problem")
    search_fields = ("name",)


@admin.register(Machine)
class MachineAdmin(LookedAt):
    list_display = (
        "id",
        "group_name",
        "state",
        "ref",
        "capacity_type",
        "zone",
        "price",
        "cost",
        "requested_at",
        "end_reason",
    )
    list_filter = ("state", "capacity_type", "zone", "end_reason")
    search_fields = ("id", "group_name", "ref")
