"""Sign-in, sign-out, and the web application at every address that nobody else has."""

from django.contrib.auth.views import LogoutView
from django.urls import path, re_path

from aflow_site.web import views

urlpatterns = [
    path("login/", views.SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    re_path(r"^(?!api/|agent/|ws/|static/|admin/|metrics|healthz|readyz).*$", views.shell, name="shell"),
]
