from django.urls import path

from pools.consumers.pools import PoolConsumer

websocket_urlpatterns = [path("ws/pools/", PoolConsumer.as_asgi())]
