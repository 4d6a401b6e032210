from django.apps import AppConfig


class TeamsConfig(AppConfig):
    name = "teams"

    def ready(self) -> None:
        from teams.api import schema  # noqa: F401 (registers itself with the API's description)
