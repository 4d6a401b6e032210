"""The client of the platform: deploys workflow classes, runs workflows, and reads what is there."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

import httpx

from agentainer_flow.client.config import find_connection
from agentainer_flow.client.execution import WorkflowExecution
from agentainer_flow.client.transport import Transport, segment
from agentainer_flow.errors import Conflict
from agentainer_flow.sdk.bundling import make_bundle
from agentainer_flow.sdk.definition import compile_workflow, definition_of
from agentainer_flow.sdk.options import ExecutionMode


class WorkflowClient:
    """Talks to one platform in the name of one token; its address and token: see `client.config`.

    Every method raises UnreachableError when the platform does not answer, and the FlowAPIError of its answer
    when it refuses. Usable as a context manager; one client may serve one thread at a time.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._transport = Transport(find_connection(url, token), handler=transport)

    @property
    def url(self) -> str:
        """The platform's address, without a slash at its end."""
        return self._transport.connection.url

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> WorkflowClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- workflows -------------------------------------------------------------------------------

    def deploy(self, cls: type) -> dict[str, Any]:
        """Uploads the class's module and saves its document, as a new version where it differs.

        Returns the workflow: {"name", "version", "document", …}. Raises DefinitionError and BundleError too.
        """
        bundle = make_bundle(cls)
        document = compile_workflow(cls, bundle)
        if any("bundle" in step["run"] for step in document["steps"]):
            headers = {"Content-Type": "application/zip"}
            self._transport.request(
                "POST", "bundles/", content=bundle.content, headers=headers, repeatable=True
            )
        return self.save_workflow(document)

    def save_workflow(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Makes the workflow of that name, or a new version of it. Returns the workflow.

        A document without a layout keeps the places that people gave its steps on the canvas.
        """
        try:
            made: dict[str, Any] = self._transport.request("POST", "workflows/", json=document)
            return made
        except Conflict:
            known = self.get_workflow(str(document["name"]))
        wanted = dict(document)
        if "layout" not in wanted and known["document"].get("layout"):
            ids = {step["id"] for step in wanted.get("steps", [])}
            wanted["layout"] = {name: at for name, at in known["document"]["layout"].items() if name in ids}
        path = f"workflows/{segment(known['name'])}/"
        saved: dict[str, Any] = self._transport.request(
            "PUT", path, json=wanted, headers={"If-Match": known["etag"]}
        )
        return saved

    def create_workflow(self, document: Mapping[str, Any] | str) -> dict[str, Any]:
        """Makes a workflow of a document, or of one written in YAML. Raises Conflict when the name is taken."""
        made: dict[str, Any]
        if isinstance(document, str):
            headers = {"Content-Type": "application/yaml"}
            made = self._transport.request("POST", "workflows/", content=document.encode(), headers=headers)
        else:
            made = self._transport.request("POST", "workflows/", json=document)
        return made

    def list_workflows(self, *, search: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """The team's workflows by name; at most `limit`."""
        return self._list("workflows/", {"search": search}, limit)

    def get_workflow(self, name: str) -> dict[str, Any]:
        """{"name", "description", "version", "document", "etag", …}. Raises NotFound."""
        found: dict[str, Any] = self._transport.request("GET", f"workflows/{segment(name)}/")
        return found

    # --- runs ------------------------------------------------------------------------------------

    def run(
        self,
        workflow: type | str,
        params: Mapping[str, Any] | None = None,
        tags: Iterable[str] | None = None,
        mode: ExecutionMode = ExecutionMode.SYNC,
    ) -> WorkflowExecution:
        """Starts a run of a workflow class (deployed first) or of a workflow by name.

        SYNC waits for the end of the run, however it ends; ASYNC returns at once.
        """
        body: dict[str, Any] = {"params": dict(params or {}), "tags": list(tags or ())}
        if isinstance(workflow, str):
            name = workflow
        else:
            name = definition_of(workflow).name
            body["version"] = self.deploy(workflow)["version"]
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        path = f"workflows/{segment(name)}/runs/"
        started = self._transport.request("POST", path, json=body, headers=headers)
        execution = WorkflowExecution(self._transport, started)
        return execution.wait() if mode is ExecutionMode.SYNC else execution

    run_workflow = run

    def get_run(self, run_id: str) -> WorkflowExecution:
        """Raises NotFound."""
        return WorkflowExecution(self._transport, self._transport.request("GET", f"runs/{segment(run_id)}/"))

    def get_result(self, run: WorkflowExecution | str, timeout: float | None = None) -> Any:
        """The output of a run, once it has ended; see `WorkflowExecution.result`."""
        execution = self.get_run(run) if isinstance(run, str) else run
        return execution.result(timeout)

    def list_runs(
        self,
        *,
        workflow: str | None = None,
        state: str | None = None,
        tag: str | None = None,
        limit: int | None = 50,
    ) -> list[dict[str, Any]]:
        """The newest runs first; at most `limit` (None: all)."""
        return self._list("runs/", {"workflow": workflow, "state": state, "tag": tag}, limit)

    # --- pools and agents ------------------------------------------------------------------------

    def list_pools(self) -> list[dict[str, Any]]:
        """{"name", "image", "min_size", "max_size", "states", "utilization", "waiting", …} of each pool."""
        return self._list("pools/", {}, None)

    def get_pool(self, name: str) -> dict[str, Any]:
        """Raises NotFound."""
        found: dict[str, Any] = self._transport.request("GET", f"pools/{segment(name)}/")
        return found

    def resize_pool(self, name: str, min_size: int, max_size: int) -> dict[str, Any]:
        """Sets both bounds, in agents. Returns the pool."""
        body = {"min_size": min_size, "max_size": max_size}
        path = f"pools/{segment(name)}/resize/"
        pool: dict[str, Any] = self._transport.request("POST", path, json=body, repeatable=True)
        return pool

    def list_agents(self, *, pool: str | None = None, state: str | None = None) -> list[dict[str, Any]]:
        """{"id", "pool", "state", "health", "uses", …} of each agent."""
        return self._list("agents/", {"pool": pool, "state": state}, None)

    def _list(self, path: str, query: dict[str, Any], limit: int | None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for page in self._transport.pages(path, query):
            found += page
            if limit is not None and len(found) >= limit:
                return found[:limit]
        return found
