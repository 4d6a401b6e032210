from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "aflow_site"
    label = "aflow_site"
