from django.apps import AppConfig


class ScalingConfig(AppConfig):
    name = "scaling"

    def ready(self) -> None:
        from scaling.facade.api import guard_leases

        guard_leases()
