from django.contrib import admin

from workflows.models import Executor, Run, Workflow


class ReadOnly(admin.ModelAdmin):
    """Rows that only the engine writes."""

    def has_add_permission(self, request: object) -> bool:
        return False

    def has_change_permission(self, request: object, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: object, obj: object = None) -> bool:
        return False


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
