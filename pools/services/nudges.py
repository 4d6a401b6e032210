"""A word to the controller that deployed agents, or requests to them, have changed. It may be lost: whoever
is told looks again by himself."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

import redis
import redis.asyncio
from redis.exceptions import RedisError

log = logging.getLogger(__name__)


def channel_of(prefix: str) -> str:
    return f"{prefix}:deployed"


def tell(client: redis.Redis, prefix: str) -> None:
    with contextlib.suppress(RedisError):  # the timer will do
        client.publish(channel_of(prefix), b"1")


async def listen(redis_url: str, prefix: str, heard: Callable[[], object]) -> None:
    """Until it is cancelled, or the connection breaks."""
    try:
        client = redis.asyncio.Redis.from_url(redis_url)
        async with client, client.pubsub() as channel:
            await channel.subscribe(channel_of(prefix))
            heard()
            async for _ in channel.listen():
                heard()
    except (RedisError, OSError) as exc:
        log.warning("nudges of deployed agents broke off: %s", exc)
