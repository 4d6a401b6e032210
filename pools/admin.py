"""The operators' console of pools, agents and nodes: everything to be seen, with its figures at this moment;
what changes goes through the services alone."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.dataclasses import ActionDialog
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from aflow_site.api.console import ReadOnly, WithFigures, each
from pools.domain.settings import DEFAULTS, faults_of
from pools.facade import agents
from pools.facade import api as pools
from pools.models import Agent, DeployedAgent, Machine, Node, NodeGroup, Pool
from pools.selectors import pools as read

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


class ResizeForm(BaseDialogForm):
    min_size = forms.IntegerField(label="Minimum", min_value=0, widget=UnfoldAdminIntegerFieldWidget)
    max_size = forms.IntegerField(label="Maximum", min_value=1, widget=UnfoldAdminIntegerFieldWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # The page below the dialog has fields of the same names.
        super().__init__(*args, **{"auto_id": "dialog_%s", **kwargs})
        pool = Pool.objects.filter(pk=self.object_id).first()
        if pool is not None:
            self.initial = {"min_size": pool.min_size, "max_size": pool.max_size}

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        low, high = given.get("min_size"), given.get("max_size")
        if low is not None and high is not None and low > high:
            self.add_error("min_size", f"It must not be above the maximum ({high}).")
        return given


def _asked(verb: str, says: str) -> ActionDialog:
    return {"title": verb, "description": says, "form_class": BaseDialogForm, "form_submit_text": verb}


def _back_to(pool_id: str) -> HttpResponse:
    """The dialog is asked for by a script, which goes where this says."""
    return HttpResponse(headers={"HX-Redirect": reverse("admin:pools_pool_change", args=[pool_id])})


@admin.register(Pool)
class PoolAdmin(WithFigures):
    form = PoolForm
    list_display = ("name", "team", "state", "size", "limits", "work", "wait", "price_now", "image")
    list_filter = ("team", "warm_up")
    list_select_related = ("team",)
    search_fields = ("name", "image", "workflow")
    actions = ("drain", "resume", "recycle")
    actions_detail = ("resize", "drain_one", "resume_one", "recycle_one")
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

    def figures_of(self, rows: list[Pool]) -> dict[Any, Any]:
        return {view.id: view for view in read.views(rows, pools.lease_store())}

    @display(
        description="State",
        label={"drained": "warning", "trouble": "danger", "works": "success", "leaves": "info"},
    )
    def state(self, pool: Pool) -> str:
        if pool.deleted_at is not None:
            return "leaves"
        if pool.problem:
            return "trouble"
        return "drained" if pool.drained_at else "works"

    @display(description="Agents (wanted)")
    def size(self, pool: Any) -> str:
        return f"{sum(pool.figures.states.values())} ({pool.target_size})" if pool.figures else "-"

    @display(description="Limits")
    def limits(self, pool: Pool) -> str:
        return f"{pool.min_size} to {pool.max_size}"

    @display(description="Leases, waiting")
    def work(self, pool: Any) -> str:
        return f"{pool.figures.leases}, {pool.figures.waiting}" if pool.figures else "-"

    @display(description="Wait p99")
    def wait(self, pool: Any) -> str:
        waited = pool.figures.wait_p99_ms if pool.figures else None
        return "-" if waited is None else f"{waited:.0f} ms"

    @display(description="Agent-hour")
    def price_now(self, pool: Any) -> str:
        return f"{pool.figures.rate.normalize():f}" if pool.figures else "-"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and _lives(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and _lives(obj)

    def save_model(self, request: HttpRequest, obj: Pool, form: Any, change: bool) -> None:
        values = {name: getattr(obj, name) for name in SETTINGS}
        pools.update_pool(
            obj.team_id,
            obj.name,
            {
                **values,
                "env": values["env"] or {},
                "secrets": values["secrets"] or [],
                "requirements": values["requirements"] or [],
            },
        )

    def delete_model(self, request: HttpRequest, obj: Pool) -> None:
        pools.delete_pool(obj.team_id, obj.name)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for pool in queryset:
            self.delete_model(request, pool)

    @action(description="Drain: no new leases until it is resumed", permissions=["change"])
    def drain(self, request: HttpRequest, queryset: QuerySet[Pool]) -> None:
        each(request, queryset, lambda pool: pools.drain_pool(pool.team_id, pool.name), "Drained: {names}.")

    @action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Pool]) -> None:
        each(request, queryset, lambda pool: pools.resume_pool(pool.team_id, pool.name), "Resumed: {names}.")

    @action(description="Recycle: replace every agent", permissions=["change"])
    def recycle(self, request: HttpRequest, queryset: QuerySet[Pool]) -> None:
        each(
            request,
            queryset,
            lambda pool: pools.recycle_pool(pool.team_id, pool.name),
            "Every agent is replaced: {names}.",
        )

    @action(
        description="Resize",
        icon="open_in_full",
        permissions=["change"],
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Resize",
            "description": "Agents above the maximum leave when their leases end.",
            "form_class": ResizeForm,
            "form_submit_text": "Resize",
        },
    )
    def resize(self, request: HttpRequest, form: ResizeForm, object_id: str) -> HttpResponse:
        sizes = form.cleaned_data["min_size"], form.cleaned_data["max_size"]
        rows = Pool.objects.filter(pk=object_id)
        each(
            request,
            rows,
            lambda pool: pools.resize_pool(pool.team_id, pool.name, *sizes),
            "Resized: {names}.",
        )
        return _back_to(object_id)

    # A dialog posts, with its token: a link from elsewhere that only gets would drain a pool.
    @action(
        description="Drain",
        icon="water_drop",
        permissions=["change"],
        dialog=_asked("Drain", "Nobody gets a lease until it is resumed; leases that run may finish."),
    )
    def drain_one(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        self.drain(request, Pool.objects.filter(pk=object_id))
        return _back_to(object_id)

    @action(
        description="Resume",
        icon="play_arrow",
        permissions=["change"],
        dialog=_asked("Resume", "Whoever waits gets a lease again."),
    )
    def resume_one(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        self.resume(request, Pool.objects.filter(pk=object_id))
        return _back_to(object_id)

    @action(
        description="Recycle",
        icon="recycling",
        permissions=["change"],
        dialog=_asked("Recycle", "Every agent is replaced: idle ones now, leased ones after their lease."),
    )
    def recycle_one(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        self.recycle(request, Pool.objects.filter(pk=object_id))
        return _back_to(object_id)


def _lives(pool: object) -> bool:
    """A deleted pool can be looked at until its last agent has gone."""
    return not isinstance(pool, Pool) or pool.deleted_at is None


STATE_LABELS = {
    "idle": "success",
    "active": "success",
    "running": "success",
    "ready": "success",
    "starting": "info",
    "created": "info",
    "draining": "warning",
    "paused": "warning",
    "cordoned": "warning",
    "unhealthy": "danger",
    "failed": "danger",
    "lost": "danger",
}


@admin.register(Agent)
class AgentAdmin(ReadOnly):
    list_display = ("id", "pool_name", "team", "shown", "uses", "started_at", "ended_at", "end_reason")
    list_filter = ("state", "end_reason", "team")
    list_select_related = ("team",)
    search_fields = ("id", "pool_name", "container")

    @display(description="State", ordering="state", label=STATE_LABELS)
    def shown(self, agent: Agent) -> str:
        return agent.state


@admin.register(DeployedAgent)
class DeployedAgentAdmin(ReadOnly):
    list_display = ("name", "team", "shown", "health", "image", "node", "restarts", "started_at", "problem")
    list_filter = ("state", "team")
    list_select_related = ("team",)
    search_fields = ("name", "image", "container")
    actions = ("start", "stop", "restart", "pause", "resume")
    exclude = ("env", "nonce")

    @display(description="State", ordering="state", label=STATE_LABELS)
    def shown(self, agent: DeployedAgent) -> str:
        return agent.state

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("pools.change_deployedagent")

    def _act(self, request: HttpRequest, rows: QuerySet[DeployedAgent], verb: str) -> None:
        author = request.user.get_username()
        each(
            request,
            rows,
            lambda agent: agents.act(agent.team_id, str(agent.pk), verb, author=author),
            f"Asked to {verb}: {{names}}.",
        )

    @action(description="Start", permissions=["act"])
    def start(self, request: HttpRequest, queryset: QuerySet[DeployedAgent]) -> None:
        self._act(request, queryset, "start")

    @action(description="Stop: requests wait until it is started", permissions=["act"])
    def stop(self, request: HttpRequest, queryset: QuerySet[DeployedAgent]) -> None:
        self._act(request, queryset, "stop")

    @action(description="Restart", permissions=["act"])
    def restart(self, request: HttpRequest, queryset: QuerySet[DeployedAgent]) -> None:
        self._act(request, queryset, "restart")

    @action(description="Pause", permissions=["act"])
    def pause(self, request: HttpRequest, queryset: QuerySet[DeployedAgent]) -> None:
        self._act(request, queryset, "pause")

    @action(description="Resume", permissions=["act"])
    def resume(self, request: HttpRequest, queryset: QuerySet[DeployedAgent]) -> None:
        self._act(request, queryset, "resume")


@admin.register(Node)
class NodeAdmin(ReadOnly):
    """A mirror: the engine alone changes nodes."""

    list_display = ("name", "address", "shown", "cpus", "price", "capacity_type", "zone", "changed_at")
    list_filter = ("state", "capacity_type", "zone")
    search_fields = ("name", "address")

    @display(description="State", ordering="state", label=STATE_LABELS)
    def shown(self, node: Node) -> str:
        return node.state


@admin.register(NodeGroup)
class NodeGroupAdmin(ReadOnly):
    """The API changes them, with every check."""

    list_display = ("name", "provider", "min", "max", "prefer_spot", "problem")
    search_fields = ("name",)


@admin.register(Machine)
class MachineAdmin(ReadOnly):
    list_display = (
        "id",
        "group_name",
        "state",
        "ref",
        "instance_type",
        "capacity_type",
        "zone",
        "price",
        "cost",
        "requested_at",
        "end_reason",
    )
    list_filter = ("state", "instance_type", "capacity_type", "zone", "end_reason")
    search_fields = ("id", "group_name", "ref")
