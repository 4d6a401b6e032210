from django.urls import path

from teams.api.views import AuditListView, MeView, TeamView

urlpatterns = [
    path("me/", MeView.as_view(), name="me"),
    path("teams/<str:slug>/", TeamView.as_view()),
    path("audit/", AuditListView.as_view()),
]
