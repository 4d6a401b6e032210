from django.urls import path

from teams.api.views import MeView

urlpatterns = [path("me/", MeView.as_view(), name="me")]
