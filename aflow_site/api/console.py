"""What the pages of the operators' console (Django's admin) have in common.

Rows are seen; what changes them goes through services, as everywhere. Does not: know an app.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from aflow_site.kernel.errors import FlowError

REFUSED = (FlowError, ConnectionError)


def tell(request: HttpRequest, error: Exception) -> None:
    """Why a service refused, with its faults, as a message on the next page."""
    faults = getattr(error, "faults", ())
    said = [getattr(error, "detail", str(error)), *(f"{fault.path}: {fault.message}" for fault in faults)]
    messages.error(request, " ".join(said))


def each(request: HttpRequest, rows: Iterable[Any], act: Callable[[Any], object], done: str) -> None:
    """Acts on each row by a service; what is refused is told, and the others go on. `done` has {names}."""
    names = []
    for row in rows:
        try:
            act(row)
        except REFUSED as exc:
            tell(request, exc)
        else:
            names.append(str(row))
    if names:
        messages.success(request, done.format(names=", ".join(names)))


class FiguresList(ChangeList):
    """A list whose rows carry `figures`: what the page's `figures_of` knows of them at this moment."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)
        try:
            found = self.model_admin.figures_of(rows)
        except REFUSED as exc:
            tell(request, exc)
            found = {}
        for row in rows:
            row.figures = found.get(row.pk)
        self.result_list = rows


class Console(ModelAdmin):
    """Without rows of its own to add: each app says what may be done, and by which service."""

    list_per_page = 50
    warn_unsaved_form = True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


class WithFigures(Console):
    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return FiguresList

    @abstractmethod
    def figures_of(self, rows: list[Any]) -> dict[Any, Any]:
        """By primary key."""


class ReadOnly(Console):
    """Rows that only the platform writes."""

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
