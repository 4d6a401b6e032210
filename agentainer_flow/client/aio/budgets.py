"""What a client does with budgets, and what was spent."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from agentainer_flow.client.paths import part

if TYPE_CHECKING:
    from agentainer_flow.client.aio.transport import AsyncTransport


class AsyncBudgetMethods:
    """A part of AsyncWorkflowClient. Money is a decimal in a text, in the installation's currency."""

    _transport: AsyncTransport

    async def list_budgets(self, scope: str | None = None, target: str | None = None) -> list[dict[str, Any]]:
        return await self._transport.all("budgets/", {"scope": scope, "target": target})

    async def get_budget(self, budget: str) -> dict[str, Any]:
        return dict(await self._transport.request("GET", f"budgets/{part(budget)}/"))

    async def create_budget(
        self,
        scope: str,
        limit: str | float,
        *,
        period: str = "month",
        target: str | None = None,
        mode: str | None = None,
        timezone: str | None = None,
    ) -> dict[str, Any]:
        """`scope`: team | pool | workflow, these two named by `target`. `limit`: for each `period` (hour
        | day | month). `mode`: audit tells, enforce starts nothing that it could not pay.

        Raises Conflict when there is one for the same, InvalidRequest with every fault.
        """
        body = {"scope": scope, "limit": str(limit), "period": period, "target": target, "mode": mode}
        given = {name: value for name, value in {**body, "timezone": timezone}.items() if value is not None}
        return dict(await self._transport.request("POST", "budgets/", json=given))

    async def change_budget(self, budget: str, **settings: Any) -> dict[str, Any]:
        """Sets any of limit, mode and timezone; it counts within seconds."""
        given = {name: str(value) if name == "limit" else value for name, value in settings.items()}
        return dict(await self._transport.request("PATCH", f"budgets/{part(budget)}/", json=given))

    async def delete_budget(self, budget: str) -> None:
        await self._transport.request("DELETE", f"budgets/{part(budget)}/")

    async def spend(
        self, group: str = "pool", *, since: datetime | None = None, until: datetime | None = None
    ) -> dict[str, Any]:
        """{"currency", "lines", "total", …}: what agents' time cost, by pool, workflow, team, run or step; of
        the last 30 days when `since` is left out. Times have a zone."""
        query = {
            "group": group,
            "from": None if since is None else since.isoformat(),
            "to": None if until is None else until.isoformat(),
        }
        return dict(await self._transport.request("GET", "spend/", params=query))
