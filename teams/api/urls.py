from django.urls import path

from teams.api.views import AuditListView, MeView, SecretListView, SecretView, TeamView

urlpatterns = [
    path("me/", MeView.as_view(), name="me"),
    path("teams/<str:slug>/", TeamView.as_view()),
    path("secrets/", SecretListView.as_view()),
    path("secrets/<str:name>/", SecretView.as_view()),
    path("audit/", AuditListView.as_view()),
]
