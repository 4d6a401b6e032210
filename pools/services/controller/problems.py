"""What a pool says of itself when it cannot have the agents that it wants: written here alone."""

from __future__ import annotations

from uuid import UUID

from pools.domain.placement import Recipe
from pools.domain.problems import LONGEST_SENTENCE, Problem, ProblemKind
from pools.domain.settings import Capacity
from pools.models import Pool
from pools.services.controller.registry import Registry, in_database


class Problems:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def tell(self, pool_id: UUID, recipe: Recipe, problem: Problem | None) -> None:
        """Writes what is known of a pool's image and place, as long as the pool has these."""
        text, kind = (problem.sentence[:LONGEST_SENTENCE], problem.kind.value) if problem else (None, None)
        known = self._registry.pools.get(pool_id)
        if known is None or (known.recipe, known.problem, known.problem_kind) == (recipe, text, kind):
            return
        rows = Pool.objects.filter(
            pk=pool_id,
            image=recipe.image,
            commands=recipe.commands,
            requirements=list(recipe.requirements),
            capacity_type=recipe.place.capacity_type or Capacity.ANY.value,
            zone=recipe.place.zone,
        )
        if not await in_database(rows.update, problem=text, problem_kind=kind):
            return
        current = self._registry.pools.get(pool_id)
        if current is not None:
            current.problem, current.problem_kind = text, kind
        self._registry.version += 1

    async def over(self, pool: Pool, *kinds: ProblemKind) -> None:
        """Takes back what was said, if it was of these kinds."""
        if pool.problem_kind in kinds:
            await self.tell(pool.pk, pool.recipe, None)

    async def starts(self, recipe: Recipe) -> None:
        """An agent of this image has started there: whatever kept such pools from making agents is over. That
        agents end under their work is not: they did start."""
        for pool in list(self._registry.pools.values()):
            if pool.recipe == recipe and pool.problem_kind != ProblemKind.CRASH_LOOP:
                await self.tell(pool.pk, recipe, None)
