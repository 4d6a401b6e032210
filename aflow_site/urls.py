"""Every address of the site: the API, what probes ask, the admin, and the web application for the rest.

The web process alone reads this: what only pages and the API's description need is imported from here.
"""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from aflow_site.api.problems import unknown_address
from aflow_site.health import healthz, metrics, readyz
from pools.api.proxy import proxy

admin.autodiscover()

api: list[URLPattern | URLResolver] = [
    path("", include("teams.api.urls")),
    path("", include("pools.api.urls")),
    path("", include("scaling.api.urls")),
    path("", include("workflows.api.urls")),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
]

urlpatterns = [
    path("api/v1/", include(api)),
    re_path(r"^api/", unknown_address),
    re_path(r"^agent/(?P<ref>[^/]+)(?P<path>/.*)?$", proxy),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
    path("admin/", admin.site.urls),
    path("", include("aflow_site.web.urls")),
]
