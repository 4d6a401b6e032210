"""What a client does with agents: deploy, act on them, ask them, look at them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from agentainer_flow.client.answers import AgentAnswer, answer_of
from agentainer_flow.client.paths import part

if TYPE_CHECKING:
    from agentainer_flow.client.aio.transport import AsyncTransport


class AsyncAgentMethods:
    """A part of WorkflowClient. `agent` is the id of an agent, or the name of a deployed one."""

    _transport: AsyncTransport

    async def list_agents(
        self, pool: str | None = None, state: str | None = None, kind: str | None = None
    ) -> list[dict[str, Any]]:
        """`kind`: "pooled" or "deployed"."""
        return await self._transport.all("agents/", {"pool": pool, "state": state, "kind": kind})

    async def deploy_agents(
        self,
        document: str | Mapping[str, Any],
        variables: Mapping[str, str] | None = None,
        *,
        replace: bool = False,
    ) -> list[dict[str, Any]]:
        """One agent as a mapping (`name`, `image`, `env`, …), or an AgentDeployment document, as a mapping or
        as its YAML or JSON text. Raises Conflict when a name is taken, InvalidRequest with every fault."""
        body = {"document": document, "variables": dict(variables or {})}
        told = await self._transport.request(
            "POST", "agents/", json=body, params={"replace": "true" if replace else None}
        )
        return list(told["results"])

    async def get_agent(self, agent: str) -> dict[str, Any]:
        found: dict[str, Any] = await self._transport.request("GET", f"agents/{part(agent)}/")
        return found

    async def change_agent(self, agent: str, **changes: Any) -> dict[str, Any]:
        """Sets fields of its definition; the others stay."""
        changed: dict[str, Any] = await self._transport.request(
            "PATCH", f"agents/{part(agent)}/", json=changes
        )
        return changed

    async def start_agent(self, agent: str) -> dict[str, Any]:
        return await self.act_on_agent(agent, "start")

    async def stop_agent(self, agent: str) -> dict[str, Any]:
        return await self.act_on_agent(agent, "stop")

    async def restart_agent(self, agent: str) -> dict[str, Any]:
        return await self.act_on_agent(agent, "restart")

    async def pause_agent(self, agent: str) -> dict[str, Any]:
        return await self.act_on_agent(agent, "pause")

    async def resume_agent(self, agent: str) -> dict[str, Any]:
        return await self.act_on_agent(agent, "resume")

    async def act_on_agent(self, agent: str, verb: str) -> dict[str, Any]:
        """Says what is wanted: "desired" of the answer; its "state" follows."""
        told: dict[str, Any] = await self._transport.request("POST", f"agents/{part(agent)}/{part(verb)}/")
        return told

    async def remove_agent(self, agent: str, *, volumes: bool = False) -> None:
        """Its volumes stay, unless `volumes`."""
        params = {"volumes": "true" if volumes else None}
        await self._transport.request("DELETE", f"agents/{part(agent)}/", params=params)

    async def agent_logs(self, agent: str, tail: int = 100) -> list[str]:
        found = await self._transport.request("GET", f"agents/{part(agent)}/logs/", params={"tail": tail})
        lines: list[str] = found["lines"]
        return lines

    async def follow_agent_logs(self, agent: str, tail: int = 100) -> AsyncIterator[str]:
        """Lines, until the agent ends."""
        lines = self._transport.lines(f"agents/{part(agent)}/logs/", {"tail": tail, "follow": "true"})
        async for line in lines:
            yield line

    async def agent_metrics(self, agent: str) -> dict[str, Any]:
        """{"running", "cpu", "memory", "received", "sent", …}: CPUs and bytes."""
        found: dict[str, Any] = await self._transport.request("GET", f"agents/{part(agent)}/metrics/")
        return found

    async def invoke_agent(
        self, agent: str, value: Any = None, *, code: str | None = None, later: bool = False
    ) -> AgentAnswer:
        """Asks with `value` as its input. `code` is Python with a `main`, for the built-in agent; `later`
        does not wait for the answer.

        Raises FlowAPIError when the agent answers with an error, or its answer does not come.
        """
        body = {"input": value, **({} if code is None else {"code": code})}
        headers = {"Prefer": "respond-async"} if later else None
        return answer_of(
            await self._transport.raw("POST", f"agents/{part(agent)}/invoke", json=body, headers=headers)
        )

    def agent_requests(self, agent: str, state: str | None = None) -> AsyncIterator[dict[str, Any]]:
        """The newest first."""
        return self._transport.pages(f"agents/{part(agent)}/requests/", {"state": state})

    async def agent_request(self, agent: str, request: str) -> dict[str, Any]:
        """With what was stored of it and of its answer."""
        path = f"agents/{part(agent)}/requests/{part(request)}/"
        found: dict[str, Any] = await self._transport.request("GET", path)
        return found

    async def replay_agent_request(self, agent: str, request: str) -> AgentAnswer:
        """Sends it once more. Raises Conflict while it waits or is on its way."""
        return answer_of(
            await self._transport.raw("POST", f"agents/{part(agent)}/requests/{part(request)}/replay/")
        )
