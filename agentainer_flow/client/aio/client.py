"""The client of the platform's REST API, for programs."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from agentainer_flow.client.aio.agents import AsyncAgentMethods
from agentainer_flow.client.aio.budgets import AsyncBudgetMethods
from agentainer_flow.client.aio.execution import AsyncWorkflowExecution
from agentainer_flow.client.aio.pools import AsyncPoolMethods
from agentainer_flow.client.aio.triggers import AsyncTriggerMethods
from agentainer_flow.client.config import find_endpoint
from agentainer_flow.client.paths import new_key, part
from agentainer_flow.errors import Conflict, DefinitionError
from agentainer_flow.sdk import options
from agentainer_flow.sdk.bundling import check_class_name, make_bundle
from agentainer_flow.sdk.definition import compile_workflow, definition_of
from agentainer_flow.sdk.importing import check_imports
from agentainer_flow.sdk.options import ExecutionMode
from agentainer_flow.sdk.sourcing import source as source_of

if TYPE_CHECKING:
    import httpx


class AsyncWorkflowClient(AsyncAgentMethods, AsyncBudgetMethods, AsyncPoolMethods, AsyncTriggerMethods):
    """Without `url` and `token`: AGENTAINER_URL and AGENTAINER_TOKEN, the config file, or the platform of the
    checkout in which it runs. Raises ConfigError when none of them is there.

    Every call raises a FlowAPIError when the platform refuses, and UnreachableError when it does not answer.
    `transport` is for tests.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        # Here, not above: agents import modules that import this one, and have no HTTP client.
        from agentainer_flow.client.aio.transport import AsyncTransport

        endpoint = find_endpoint(url, token)
        self.url = endpoint.url
        self._transport = AsyncTransport(endpoint, transport)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def __aenter__(self) -> AsyncWorkflowClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    # --- workflows -------------------------------------------------------------------------------

    async def deploy(self, cls: type) -> dict[str, Any]:
        """Uploads the class's modules and saves its document; a new version when something changed.

        The places of the steps on the canvas stay. Returns the workflow {"name", "version", "document", …}.
        """
        requirements = definition_of(cls).requirements
        bundle = make_bundle(cls)
        check_class_name(cls)
        if not requirements:
            check_imports(bundle)
        document = compile_workflow(cls, bundle)
        await self._transport.request(
            "POST", "bundles/", content=bundle.content, headers={"Content-Type": "application/zip"}
        )
        return await self.save_workflow(document, keep_layout=True)

    async def create_workflow(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """A new workflow. Raises Conflict when the name is taken, InvalidRequest with every fault."""
        return await self._answer("POST", "workflows/", json=document)

    async def save_workflow(
        self, document: Mapping[str, Any], *, keep_layout: bool = False
    ) -> dict[str, Any]:
        """Makes the workflow, or a new version of it. Raises PreconditionFailed when somebody was faster."""
        try:
            return await self.create_workflow(document)
        except Conflict:
            known = await self.get_workflow(document["name"])
        if keep_layout and "layout" not in document:
            ids = {step["id"] for step in document["steps"]}
            layout = known["document"].get("layout", {})
            kept = {step_id: place for step_id, place in layout.items() if step_id in ids}
            document = {**document, "layout": kept} if kept else document
        headers = {"If-Match": known["etag"]}
        return await self._answer(
            "PUT", f"workflows/{part(document['name'])}/", json=document, headers=headers
        )

    async def upload(self, content: bytes, content_type: str, *, name: str | None = None) -> dict[str, Any]:
        """Makes a workflow of a document as it is (JSON or YAML); with `name`, a new version of that one."""
        headers = {"Content-Type": content_type}
        if name is None:
            return await self._answer("POST", "workflows/", content=content, headers=headers)
        headers["If-Match"] = (await self.get_workflow(name))["etag"]
        return await self._answer("PUT", f"workflows/{part(name)}/", content=content, headers=headers)

    async def list_workflows(self, search: str | None = None) -> list[dict[str, Any]]:
        return await self._transport.all("workflows/", {"search": search})

    async def get_workflow(self, name: str) -> dict[str, Any]:
        """With the newest version's "document" and its "etag"."""
        return await self._answer("GET", f"workflows/{part(name)}/")

    async def export_workflow(self, name: str, version: int | None = None) -> str:
        """A version's document as YAML, which editors check by the schema that its first line names."""
        path, query = f"workflows/{part(name)}/export/", {"version": version}
        text: str = (await self._transport.raw("GET", path, params=query)).text
        return text

    async def delete_workflow(self, name: str) -> None:
        """Its runs and versions stay."""
        await self._transport.request("DELETE", f"workflows/{part(name)}/")

    # --- runs ------------------------------------------------------------------------------------

    async def run(
        self,
        target: type | str,
        params: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
        mode: ExecutionMode = ExecutionMode.SYNC,
    ) -> AsyncWorkflowExecution:
        """Starts a run of a workflow by name, or of a class, which is deployed first.

        With SYNC it returns when the run has ended, whichever way: `result()` gives the output or raises.
        Raises DefinitionError for params that are no JSON, before anything is sent.
        """
        waits = options.waits("run", mode)
        asked: dict[str, Any] = {
            "params": options.params("run", params),
            "tags": options.many("run", "tags", tags or ()),
        }
        if isinstance(target, str):
            name = target
        else:
            deployed = await self.deploy(target)
            name, asked["version"] = deployed["name"], deployed["version"]
        run = await self._answer("POST", f"workflows/{part(name)}/runs/", json=asked, key=new_key())
        execution = AsyncWorkflowExecution(self._transport, run)
        return await execution.wait() if waits else execution

    run_workflow = run

    async def map_reduce(
        self,
        mapper: str,
        reducer: str | None = None,
        *,
        items: Sequence[Any] | None = None,
        source: str | Mapping[str, Any] | None = None,
        batch_size: int = 1,
        pool_size: int | None = None,
        max_parallel: int | None = None,
        timeout: str | float | None = None,  # noqa: ASYNC109
        error_strategy: str = "fail_fast",
        min_success_rate: float | None = None,
        mode: ExecutionMode = ExecutionMode.SYNC,
    ) -> AsyncWorkflowExecution:
        """Maps and reduces a list with images, as `@mapreduce` does, for scripts that have no class.

        In place of `items`, `source` says where they lie: a path or URL, or a dict that says more
        (`sdk.sourcing.Source`). It is kept as a workflow `map-reduce-…`, the same for the same arguments
        beside those two. Raises DefinitionError when not exactly one of them is given.
        """
        if (items is None) == (source is None):
            raise DefinitionError("map_reduce: give items, or a source that they lie in.")
        options.waits("map_reduce", mode)
        over = (
            options.many("map_reduce", "items", items) if source is None else source_of("map_reduce", source)
        )
        step = {
            "mapper": _image("mapper", mapper),
            "reducer": None if reducer is None else _image("reducer", reducer),
            "batch_size": batch_size,
            "pool": None if pool_size is None else {"mode": "pooled", "size": pool_size},
            "max_parallel": max_parallel,
            "timeout": timeout,
            "error_strategy": error_strategy,
            "min_success_rate": min_success_rate,
        }
        given = {name: value for name, value in step.items() if value is not None}
        digest = f"{zlib.crc32(json.dumps(given, sort_keys=True).encode()):08x}"
        name = f"map-reduce-{digest}"
        document: dict[str, Any] = {
            "name": name,
            "params": {
                "type": "object",
                "properties": {"items": {"type": ["array", "object"]}},
                "required": ["items"],
            },
            "steps": [{"id": "mapreduce", "type": "mapreduce", "over": "${params.items}", **given}],
        }
        params: dict[str, Any] = {"items": over}
        if isinstance(over, Mapping) and {"pool", "options"} & set(over):
            # Who may read what stands in the document: params may come from anybody.
            written = json.dumps([given, over], sort_keys=True, default=str)
            document["name"] = name = f"map-reduce-{zlib.crc32(written.encode()):08x}"
            document["steps"][0]["over"], params = dict(over), {}
            del document["params"]
        await self.save_workflow(document)
        return await self.run(name, params, mode=mode)

    async def execution(self, run_id: str) -> AsyncWorkflowExecution:
        """A run that was started elsewhere."""
        return AsyncWorkflowExecution(self._transport, await self.get_run(run_id))

    async def get_result(self, run_id: str, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        """Waits for a run's output. Raises RunFailed, RunCancelled, WaitTimeout."""
        return await (await self.execution(run_id)).result(timeout)

    async def get_run(self, run_id: str) -> dict[str, Any]:
        return await self._answer("GET", f"runs/{part(run_id)}/")

    async def list_runs(
        self,
        workflow: str | None = None,
        state: str | None = None,
        tag: str | None = None,
        limit: int = 50,
    ) -> list[dict[str, Any]]:
        """The newest `limit` runs."""
        filters = {"workflow": workflow, "state": state, "tag": tag, "limit": min(limit, 500)}
        return await self._transport.all("runs/", filters, limit)

    async def _answer(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await self._transport.request(method, path, **more)
        return answer


def _image(role: str, given: object) -> dict[str, str]:
    if not isinstance(given, str):
        raise DefinitionError(
            f"map_reduce: {role} is an image, not {given!r}; functions do the work in a @workflow class."
        )
    return {"image": given}
