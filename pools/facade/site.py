"""What this site's settings make of the parts below: its Redis, the names of its keys, its runtime."""

from __future__ import annotations

from functools import cache
from urllib.parse import urlsplit

import redis
from django.conf import settings

from pools.domain.nodes import CAPACITY_LABEL, ZONE_LABEL
from pools.leases.scripts import prefix_of
from pools.providers.base import NodeProvider
from pools.providers.choose import make_provider
from pools.runtime.base import Runtime
from pools.runtime.choose import make_runtime


def redis_client() -> redis.Redis:
    """One per process, shared by its threads."""
    return _client(settings.REDIS_URL)


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2, health_check_interval=30)


def key_prefix() -> str:
    return prefix_of(settings.AFLOW_INSTANCE)


def provider() -> NodeProvider | None:
    """Who rents machines out; None: nobody. Raises `ProviderFault` where it cannot be used."""
    return make_provider(settings.AFLOW_NODE_PROVIDER, instance=settings.AFLOW_INSTANCE)


def runtime() -> Runtime:
    """A new one at each call, which its caller closes. Raises `InvalidInput` for an unknown AFLOW_RUNTIME."""
    declared = {CAPACITY_LABEL: settings.AFLOW_NODE_CAPACITY, ZONE_LABEL: settings.AFLOW_NODE_ZONE}
    return make_runtime(
        settings.AFLOW_RUNTIME,
        instance=settings.AFLOW_INSTANCE,
        data_dir=settings.DATA_DIR,
        labels={name: value for name, value in declared.items() if value},
        beside=_hosts_beside(),
    )


def _hosts_beside() -> set[str]:
    """Where the web processes, the database, Redis and the broker answer; of each there may be several."""
    urls = [settings.AFLOW_URL, settings.REDIS_URL, *settings.CELERY_BROKER_URL.split(";")]
    database = str(settings.DATABASES["default"].get("HOST") or "").split(",")
    hosts = {urlsplit(url).hostname or "" for url in urls} | set(database)
    return {host for host in hosts if host and not host.startswith("/")}  # a path is a socket's
