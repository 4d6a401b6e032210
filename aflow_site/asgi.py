"""HTTP and websockets. Websockets know who asks before a consumer sees them."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aflow_site.settings.prod")
to_agents = get_asgi_application()

from aflow_site.api.delivery import delivering  # noqa: E402 (the app registry must be ready)
from aflow_site.api.threads import (  # noqa: E402
    InThread,
    Threads,
    by_path,
    closing_connections,
    on_its_own,
)
from aflow_site.websockets import OurOrigins, TeamMiddleware, nowhere  # noqa: E402
from pools.consumers.routing import websocket_urlpatterns as pool_sockets  # noqa: E402
from scaling.consumers.routing import websocket_urlpatterns as scaling_sockets  # noqa: E402
from workflows.consumers.routing import websocket_urlpatterns as run_sockets  # noqa: E402

sockets = URLRouter([*run_sockets, *pool_sockets, *scaling_sockets, re_path("", nowhere)])  # type: ignore[arg-type]

threads = Threads()
http = by_path(closing_connections(to_agents), threads.around(InThread()))
application = on_its_own(
    ProtocolTypeRouter(
        {
            "http": delivering(http),
            "websocket": OurOrigins(TeamMiddleware(sockets)),
        }
    )
)
