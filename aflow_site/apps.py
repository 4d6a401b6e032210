from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "aflow_site"
    label = "aflow_site"

    def ready(self) -> None:
        # Makes ours the current Celery application in every process, so that nudges go to our broker.
        from aflow_site import celery  # noqa: F401
        from aflow_site.kernel import tracing

        tracing.start()
