from django.urls import path

from teams.api import schema  # noqa: F401 (registers itself with the API's description)
from teams.api.alerts import AlertChannelListView, AlertChannelTestView, AlertChannelView, AlertListView
from teams.api.views import AuditListView, MeView, SecretListView, SecretView, TeamView

urlpatterns = [
    path("me/", MeView.as_view(), name="me"),
    path("teams/<str:slug>/", TeamView.as_view()),
    path("secrets/", SecretListView.as_view()),
    path("secrets/<str:name>/", SecretView.as_view()),
    path("audit/", AuditListView.as_view()),
    path("alerts/", AlertListView.as_view()),
    path("alert-channels/", AlertChannelListView.as_view()),
    path("alert-channels/<uuid:channel_id>/", AlertChannelView.as_view()),
    path("alert-channels/<uuid:channel_id>/test/", AlertChannelTestView.as_view()),
]
