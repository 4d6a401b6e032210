"""The operators' console of policies, decisions, budgets and simulations: with their figures at this moment;
what changes goes through the services alone."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import action, display

from aflow_site.api.console import ReadOnly, WithFigures, each
from aflow_site.kernel.errors import FlowError
from scaling.domain.budgets import BudgetMode
from scaling.domain.policies import Mode
from scaling.models import Budget, ScalingDecision, ScalingPolicy, Simulation
from scaling.selectors import budgets as read_budgets
from scaling.selectors.spend import Tally
from scaling.services import budgets, policies, simulations

MODE_LABELS = {"act": "success", "enforce": "success", "shadow": "info", "audit": "info", "off": "warning"}
STATE_LABELS = {
    "ok": "success",
    "completed": "success",
    "running": "info",
    "pending": "info",
    "warning": "warning",
    "exhausted": "danger",
    "failed": "danger",
}


def _author(request: HttpRequest) -> str:
    return request.user.get_username()


class BudgetForm(forms.ModelForm):
    """Saves by the service while it is checked: what that refuses is a fault of its field."""

    author = ""

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        try:
            self.saved = self._save()
        except FlowError as exc:
            for fault in exc.faults:
                self.add_error(fault.path if fault.path in self.fields else None, fault.message)
            if not exc.faults:
                self.add_error(None, exc.detail)

    def _save(self) -> Budget:
        given = self.cleaned_data
        if self.instance._state.adding:
            return budgets.create(given["team"].pk, given, author=self.author)
        return budgets.change(self.instance.team_id, self.instance.pk, given, author=self.author)


@admin.register(Budget)
class BudgetAdmin(WithFigures):
    form = BudgetForm
    fields = ("team", "scope", "target", "period", "limit", "currency", "timezone", "mode")
    list_display = ("whom", "team", "state", "spent", "cap", "reserved", "expected", "waiting", "how")
    list_filter = ("team", "scope", "period", "mode")
    list_select_related = ("team",)
    search_fields = ("target",)
    actions = ("enforce", "audit")

    def figures_of(self, rows: list[Budget]) -> dict[Any, Any]:
        now, told, tally = datetime.now(UTC), read_budgets.last_told(), Tally()
        return {row.pk: read_budgets.budget_shape(row, now, told, tally) for row in rows}

    @display(description="For")
    def whom(self, budget: Budget) -> str:
        return f"{budget.scope} {budget.target}" if budget.target else "the whole team"

    @display(description="State", label=STATE_LABELS)
    def state(self, budget: Any) -> str:
        return str(budget.figures["state"])

    @display(description="Spent")
    def spent(self, budget: Any) -> str:
        return _money(budget.figures["spent"], budget)

    @display(description="Limit")
    def cap(self, budget: Budget) -> str:
        period = "an hour" if budget.period == "hour" else f"a {budget.period}"
        return f"{read_budgets.plain(budget.limit)} {budget.currency} {period}"

    @display(description="Reserved")
    def reserved(self, budget: Any) -> str:
        return _money(budget.figures["reserved"], budget)

    @display(description="Forecast")
    def expected(self, budget: Any) -> str:
        return _money(budget.figures["forecast"], budget)

    @display(description="Waiting")
    def waiting(self, budget: Any) -> int:
        return int(budget.figures["waiting"])

    @display(description="Mode", label=MODE_LABELS)
    def how(self, budget: Budget) -> str:
        return budget.mode

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("scaling.add_budget")

    def get_readonly_fields(self, request: HttpRequest, obj: Budget | None = None) -> tuple[str, ...]:
        return () if obj is None else ("team", "scope", "target", "period", "currency")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"author": _author(request)})

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"currency": settings.AFLOW_CURRENCY, **super().get_changeform_initial_data(request)}

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Budget:
        super().save_form(request, form, change)
        return form.saved

    def save_model(self, request: HttpRequest, obj: Budget, form: Any, change: bool) -> None:
        """The service has saved it, with its audit entry."""

    def delete_model(self, request: HttpRequest, obj: Budget) -> None:
        budgets.delete(obj.team_id, obj.pk, author=_author(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Budget]) -> None:
        each(request, queryset, partial(self.delete_model, request), "Deleted: {names}.")

    def _set(self, request: HttpRequest, rows: QuerySet[Budget], mode: BudgetMode) -> None:
        def change(row: Budget) -> None:
            budgets.change(row.team_id, row.pk, {"mode": mode.value}, author=_author(request))

        each(request, rows, change, f"Mode {mode.value}: {{names}}.")

    @action(description="Enforce: nothing starts that it could not pay", permissions=["change"])
    def enforce(self, request: HttpRequest, queryset: QuerySet[Budget]) -> None:
        self._set(request, queryset, BudgetMode.ENFORCE)

    @action(description="Only count", permissions=["change"])
    def audit(self, request: HttpRequest, queryset: QuerySet[Budget]) -> None:
        self._set(request, queryset, BudgetMode.AUDIT)


def _money(amount: Any, budget: Budget) -> str:
    return f"{float(amount):.4f} {budget.currency}"


@admin.register(ScalingPolicy)
class PolicyAdmin(ReadOnly, WithFigures):
    """Fields are set in the web application; here modes are switched, and policies taken away."""

    list_display = ("whom", "team", "preset", "set_beside", "how", "sizes", "updated_at")
    list_filter = ("team", "preset", "mode")
    list_select_related = ("team",)
    search_fields = ("pool", "workflow")
    actions = ("act", "shadow", "switch_off")

    def figures_of(self, rows: list[ScalingPolicy]) -> dict[Any, Any]:
        """The pools that each steers, with their limits under it."""
        found: dict[Any, list[str]] = {}
        for team_id in {row.team_id for row in rows}:
            for one in policies.in_force(team_id):
                if one.row is not None:
                    found.setdefault(one.row.pk, []).append(f"{one.pool}: {one.policy.min}-{one.policy.max}")
        return found

    @display(description="For")
    def whom(self, policy: ScalingPolicy) -> str:
        return f"pool {policy.pool}" if policy.pool else f"workflow {policy.workflow}"

    @display(description="Set beside the preset")
    def set_beside(self, policy: ScalingPolicy) -> str:
        return ", ".join(f"{name} {value}" for name, value in policy.values.items()) or "-"

    @display(description="Mode", label=MODE_LABELS)
    def how(self, policy: ScalingPolicy) -> str:
        return policy.mode

    @display(description="Pools under it")
    def sizes(self, policy: Any) -> str:
        return ", ".join(policy.figures or ()) or "-"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("scaling.delete_scalingpolicy")

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("scaling.change_scalingpolicy")

    def delete_model(self, request: HttpRequest, obj: ScalingPolicy) -> None:
        policies.delete(obj.team_id, obj.pk, author=_author(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ScalingPolicy]) -> None:
        each(request, queryset, partial(self.delete_model, request), "Deleted: {names}.")

    def _set(self, request: HttpRequest, rows: QuerySet[ScalingPolicy], mode: Mode) -> None:
        def change(row: ScalingPolicy) -> None:
            policies.change(row.team_id, row.pk, {"mode": mode.value}, author=_author(request))

        each(request, rows, change, f"Mode {mode.value}: {{names}}.")

    @action(description="Steer", permissions=["act"])
    def act(self, request: HttpRequest, queryset: QuerySet[ScalingPolicy]) -> None:
        self._set(request, queryset, Mode.ACT)

    @action(description="Shadow: decide and record, and change nothing", permissions=["act"])
    def shadow(self, request: HttpRequest, queryset: QuerySet[ScalingPolicy]) -> None:
        self._set(request, queryset, Mode.SHADOW)

    @action(description="Off: the pool follows the work at hand", permissions=["act"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[ScalingPolicy]) -> None:
        self._set(request, queryset, Mode.OFF)


@admin.register(ScalingDecision)
class DecisionAdmin(ReadOnly):
    list_display = ("at", "pool", "team", "what", "current_size", "target_size", "reason", "explanation")
    list_filter = ("action", "reason", "mode", "team")
    list_select_related = ("team",)
    search_fields = ("pool", "workflow")

    @display(description="Action", ordering="action", label={"scale_up": "success", "scale_down": "warning"})
    def what(self, decision: ScalingDecision) -> str:
        return decision.action


@admin.register(Simulation)
class SimulationAdmin(ReadOnly):
    list_display = ("created_at", "team", "pool", "shown", "done", "created_by", "finished_at", "error")
    list_filter = ("state", "team")
    list_select_related = ("team",)
    exclude = ("trace", "outcomes", "claim")

    @display(description="State", ordering="state", label=STATE_LABELS)
    def shown(self, row: Simulation) -> str:
        return row.state

    @display(description="Runs")
    def done(self, row: Simulation) -> str:
        return f"{len(row.outcomes)} of {row.runs}"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("scaling.delete_simulation")

    def delete_model(self, request: HttpRequest, obj: Simulation) -> None:
        simulations.delete(obj.team_id, obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Simulation]) -> None:
        for row in queryset:
            self.delete_model(request, row)
