"""What a client does with pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentainer_flow.client.paths import part

if TYPE_CHECKING:
    from agentainer_flow.client.aio.transport import AsyncTransport


class AsyncPoolMethods:
    """A part of AsyncWorkflowClient."""

    _transport: AsyncTransport

    async def list_pools(self) -> list[dict[str, Any]]:
        return await self._transport.all("pools/")

    async def get_pool(self, name: str) -> dict[str, Any]:
        return dict(await self._transport.request("GET", f"pools/{part(name)}/"))

    async def create_pool(self, name: str, **settings: Any) -> dict[str, Any]:
        """`settings`: image, preset, min_size, max_size, warm_up, … Raises Conflict when the name is taken,
        InvalidRequest with every fault."""
        return dict(await self._transport.request("POST", "pools/", json={"name": name, **settings}))

    async def change_pool(self, name: str, **settings: Any) -> dict[str, Any]:
        """Sets these; the others stay."""
        return dict(await self._transport.request("PATCH", f"pools/{part(name)}/", json=settings))

    async def delete_pool(self, name: str) -> None:
        """Leases that run finish first. Raises Conflict while a workflow counts on it."""
        await self._transport.request("DELETE", f"pools/{part(name)}/")

    async def resize_pool(self, name: str, min_size: int, max_size: int) -> dict[str, Any]:
        return await self._act(name, "resize", {"min_size": min_size, "max_size": max_size})

    async def warm_pool(self, name: str, size: int) -> dict[str, Any]:
        """So many agents are started now, within the pool's limits."""
        return await self._act(name, "warm", {"size": size})

    async def drain_pool(self, name: str, within: float | None = None) -> dict[str, Any]:
        """No new leases until `resume_pool`; those left after `within` seconds are ended."""
        return await self._act(name, "drain", {} if within is None else {"within": within})

    async def resume_pool(self, name: str) -> dict[str, Any]:
        return await self._act(name, "resume")

    async def recycle_pool(self, name: str) -> dict[str, Any]:
        """Every agent is replaced: idle ones now, leased ones after their lease."""
        return await self._act(name, "recycle")

    async def _act(self, name: str, verb: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return dict(await self._transport.request("POST", f"pools/{part(name)}/{verb}/", json=body))
