"""What deployed agents use, as the controller last measured it: in Redis, for every process to tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import orjson
import redis

KEPT = 30  # seconds, after which nobody measures any more, and nothing is told


@dataclass(frozen=True, slots=True)
class Reading:
    """Of a container that runs: `cpu_seconds` since its start (None: not known), bytes of memory."""

    memory: int
    cpu_seconds: float | None


class Readings:
    """Blocking. Raises redis.RedisError."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._key = f"{prefix}:deployed:readings"

    def write(self, readings: Mapping[UUID, Reading]) -> None:
        """These, and no others."""
        with self._client.pipeline() as whole:
            whole.delete(self._key)
            for agent_id, reading in readings.items():
                content = orjson.dumps([reading.memory, reading.cpu_seconds])
                whole.hset(self._key, str(agent_id), content)
            whole.expire(self._key, KEPT)
            whole.execute()

    def read(self) -> dict[UUID, Reading]:
        found: dict[bytes, bytes] = self._client.hgetall(self._key)  # type: ignore[assignment]
        return {UUID(name.decode()): Reading(*orjson.loads(value)) for name, value in found.items()}
