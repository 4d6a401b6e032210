from django.urls import path

from scaling.consumers.decisions import DecisionConsumer

websocket_urlpatterns = [path("ws/scaling/", DecisionConsumer.as_asgi())]
