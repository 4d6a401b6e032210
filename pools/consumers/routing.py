from django.urls import path, re_path

from pools.consumers.agents import AgentLogConsumer, AgentUsageConsumer
from pools.consumers.pools import PoolConsumer
from pools.consumers.proxy import ProxyConsumer

websocket_urlpatterns = [
    path("ws/pools/", PoolConsumer.as_asgi()),
    path("ws/agents/<str:ref>/logs/", AgentLogConsumer.as_asgi()),
    path("ws/agents/<str:ref>/metrics/", AgentUsageConsumer.as_asgi()),
    re_path(r"^agent/(?P<ref>[^/]+)(?P<path>/.*)?$", ProxyConsumer.as_asgi()),
]
