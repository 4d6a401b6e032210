from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "workflows"

    def ready(self) -> None:
        from scaling.facade.budgets import ask_for_workflows
        from workflows.selectors.definitions import has_workflow

        ask_for_workflows(has_workflow)
