"""The operators' console of work: rows that only the engine writes."""

from django.contrib import admin

from aflow_site.api.console import ReadOnly
from workflows.models import Executor, Run, Workflow


@admin.register(Workflow)
class WorkflowAdmin(ReadOnly):
    list_display = ("name", "team", "version", "updated_at", "archived_at")
    list_filter = ("team",)
    search_fields = ("name",)


@admin.register(Run)
class RunAdmin(ReadOnly):
    list_display = ("id", "workflow", "state", "created_at", "finished_at")
    list_filter = ("team", "state")


@admin.register(Executor)
class ExecutorAdmin(ReadOnly):
    list_display = ("name", "started_at", "beat_at")
