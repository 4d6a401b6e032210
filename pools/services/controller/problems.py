"""What a pool says of itself when it cannot have the agents that it wants: written here alone."""

from __future__ import annotations

from uuid import UUID

from pools.domain.problems import LONGEST_SENTENCE, Problem, ProblemKind
from pools.models import Pool
from pools.services.controller.registry import Registry, in_database


class Problems:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def tell(self, pool_id: UUID, image: str, problem: Problem | None) -> None:
        """Writes what is known of a pool's image, as long as the pool has that image."""
        text, kind = (problem.sentence[:LONGEST_SENTENCE], problem.kind.value) if problem else (None, None)
        known = self._registry.pools.get(pool_id)
        if known is None or (known.image, known.problem, known.problem_kind) == (image, text, kind):
            return
        rows = Pool.objects.filter(pk=pool_id, image=image)
        if not await in_database(rows.update, problem=text, problem_kind=kind):
            return
        current = self._registry.pools.get(pool_id)
        if current is not None:
            current.problem, current.problem_kind = text, kind
        self._registry.version += 1

    async def over(self, pool: Pool, kind: ProblemKind) -> None:
        """Takes back what was said, if it was of this kind."""
        if pool.problem_kind == kind:
            await self.tell(pool.pk, pool.image, None)

    async def image_starts(self, image: str) -> None:
        """An agent of this image has started: whatever kept its pools from making agents is over. That agents
        end under their work is not: they did start."""
        for pool in list(self._registry.pools.values()):
            if pool.image == image and pool.problem_kind != ProblemKind.CRASH_LOOP:
                await self.tell(pool.pk, image, None)
