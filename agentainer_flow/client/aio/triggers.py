"""What a client does with triggers, versions of workflows, and secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agentainer_flow.client.paths import part

if TYPE_CHECKING:
    from agentainer_flow.client.aio.transport import AsyncTransport


class AsyncTriggerMethods:
    """A part of AsyncWorkflowClient."""

    _transport: AsyncTransport

    async def list_triggers(self, workflow: str | None = None) -> list[dict[str, Any]]:
        return await self._transport.all("triggers/", {"workflow": workflow})

    async def get_trigger(self, trigger: str) -> dict[str, Any]:
        return dict(await self._transport.request("GET", f"triggers/{part(trigger)}/"))

    async def create_trigger(
        self,
        workflow: str,
        name: str,
        kind: str,
        config: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        enabled: bool = True,
    ) -> dict[str, Any]:
        """`kind`: schedule | webhook | event; `config` is what the kind needs, such as {"cron": "0 6 * * *",
        "timezone": "Europe/Berlin"}. The answer holds a webhook's secret, this once.

        Raises Conflict when the name is taken, InvalidRequest with every fault.
        """
        body = {
            "workflow": workflow,
            "name": name,
            "kind": kind,
            "config": dict(config or {}),
            "params": dict(params or {}),
            "enabled": enabled,
        }
        return dict(await self._transport.request("POST", "triggers/", json=body))

    async def change_trigger(self, trigger: str, **settings: Any) -> dict[str, Any]:
        return dict(await self._transport.request("PATCH", f"triggers/{part(trigger)}/", json=settings))

    async def rotate_trigger_secret(self, trigger: str) -> str:
        """A new secret for a webhook; deliveries signed with the old one are refused from now on."""
        told = await self._transport.request("POST", f"triggers/{part(trigger)}/rotate-secret/")
        return str(told["secret"])

    async def delete_trigger(self, trigger: str) -> None:
        await self._transport.request("DELETE", f"triggers/{part(trigger)}/")

    async def fire_trigger(self, trigger: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Now, as if its time had come; `params` instead of its own."""
        body = {} if params is None else {"params": dict(params)}
        return dict(await self._transport.request("POST", f"triggers/{part(trigger)}/fire/", json=body))

    async def trigger_firings(self, trigger: str, limit: int = 50) -> list[dict[str, Any]]:
        """The newest first."""
        return await self._transport.all(f"triggers/{part(trigger)}/firings/", None, limit)

    # --- versions --------------------------------------------------------------------------------

    async def list_versions(self, workflow: str) -> list[dict[str, Any]]:
        """The newest first."""
        return await self._transport.all(f"workflows/{part(workflow)}/versions/")

    async def get_version(self, workflow: str, number: int) -> dict[str, Any]:
        """With its "document"."""
        return dict(await self._transport.request("GET", f"workflows/{part(workflow)}/versions/{number}/"))

    async def diff_versions(self, workflow: str, old: int, new: int) -> dict[str, Any]:
        """What changed between two versions, step by step."""
        query = {"from": old, "to": new}
        return dict(await self._transport.request("GET", f"workflows/{part(workflow)}/diff/", params=query))

    # --- secrets ---------------------------------------------------------------------------------

    async def list_secrets(self) -> list[dict[str, Any]]:
        """Their names, without values."""
        return await self._transport.all("secrets/")

    async def set_secret(self, name: str, value: str) -> dict[str, Any]:
        return dict(await self._transport.request("PUT", f"secrets/{part(name)}/", json={"value": value}))

    async def delete_secret(self, name: str) -> None:
        await self._transport.request("DELETE", f"secrets/{part(name)}/")
