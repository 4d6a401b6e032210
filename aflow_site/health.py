"""What probes ask: alive (`/healthz`), ready (`/readyz`), and the figures (`/metrics`)."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CollectorRegistry, generate_latest

from pools.facade import agents
from pools.facade import api as pools
from scaling.facade import api as scaling
from workflows.facade import api as workflows


def healthz(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok"})


def _database() -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return None


def _redis() -> str | None:
    redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2).ping()
    return None


def _broker() -> str | None:
    if settings.CELERY_BROKER_URL == settings.REDIS_URL:
        return _redis()
    where = urlsplit(settings.CELERY_BROKER_URL)
    with socket.create_connection((where.hostname or "localhost", where.port or 5672), timeout=2):
        return None


def _executors() -> str | None:
    return None if workflows.live_executors() else "no executor has reported in the last seconds"


CHECKS = {
    "database": _database,
    "redis": _redis,
    "broker": _broker,
    "runtime": pools.runtime_problem,
    "executors": _executors,
}


def readyz(request: HttpRequest) -> HttpResponse:
    """200 when work can be accepted and done, else 503; each check with its problem in a sentence."""
    checks: dict[str, str] = {}
    for name, check in CHECKS.items():
        try:
            problem = check()
        except Exception as exc:  # whatever a dependency throws is the answer to this question
            problem = f"{type(exc).__name__}: {exc}"
        checks[name] = problem or "ok"
    ready = all(value == "ok" for value in checks.values())
    body = {"status": "ready" if ready else "not ready", "checks": checks}
    return JsonResponse(body, status=200 if ready else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Read anew from Redis and the database at each scrape, so that any web process tells the whole truth."""
    registry = CollectorRegistry()
    registry.register(pools.metrics_collector())
    registry.register(agents.metrics_collector())
    registry.register(scaling.ScalingCollector())
    registry.register(workflows.metrics_collector())
    return HttpResponse(generate_latest(registry), content_type="text/plain; version=0.0.4; charset=utf-8")
