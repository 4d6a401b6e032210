"""Sign-in, sign-out, the documentation, and the web application at every address that nobody else has."""

from django.contrib.auth.views import LogoutView
from django.urls import path, re_path
from django.views.generic import RedirectView

from aflow_site.web import views
from aflow_site.web.documentation import documentation

urlpatterns = [
    path("login/", views.SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("docs", RedirectView.as_view(url="/docs/")),
    path("docs/", documentation, {"path": ""}),
    path("docs/<path:path>", documentation),
    re_path(r"^(?!api/|agent/|ws/|static/|admin/|metrics|healthz|readyz).*$", views.shell, name="shell"),
]
