"""The platform's REST side in memory, as much of it as the client and the CLI use."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import yaml

URL = "http://platform.test"
TOKEN = "a-token"


class PlatformTwin:
    """Runs take `looks` looks to end, in `state`. `trouble` may answer, or raise, instead of the platform."""

    def __init__(self) -> None:
        self.workflows: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, str] = {}
        self.bundles: list[bytes] = []
        self.requests: list[httpx.Request] = []
        self.acts: list[tuple[str, Any]] = []  # what was asked of runs, with the body
        self.pools = {"python": {"name": "python", "image": "agent", "min_size": 1, "max_size": 4}}
        self.looks = 2
        self.state = "completed"
        self.error: dict[str, Any] | None = None
        self.trouble: Callable[[httpx.Request], httpx.Response | None] = lambda request: None
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.trouble(request)
        if answer is not None:
            return answer
        if request.headers["authorization"] != f"Token {TOKEN}":
            return problem(401, "not_authenticated", "This token is not known.")
        path = request.url.path.removeprefix("/api/v1/").strip("/").split("/")
        method = getattr(self, f"_{request.method.lower()}_{path[0]}", None)
        return problem(404, "not_found", "Nothing.") if method is None else method(request, path[1:])

    # --- workflows -------------------------------------------------------------------------------

    def _post_bundles(self, request: httpx.Request, _rest: list[str]) -> httpx.Response:
        self.bundles.append(request.content)
        return httpx.Response(201, json={"sha256": "x", "size": len(request.content)})

    def _post_workflows(self, request: httpx.Request, rest: list[str]) -> httpx.Response:
        if rest[1:] == ["runs"]:
            return self._start(request, rest[0])
        document = yaml.safe_load(request.content)
        if document["name"] in self.workflows:
            return problem(409, "conflict", f"There is a workflow called {document['name']} already.")
        if not document.get("steps"):
            faults = [{"path": "steps", "message": "Add a step.", "step": None}]
            return problem(400, "invalid_document", "1 fault", faults)
        return self._save(document, 1, 201)

    def _save(self, document: dict[str, Any], version: int, status: int) -> httpx.Response:
        saved = {
            "name": document["name"],
            "version": version,
            "etag": f'"{version}"',
            "document": document,
            "description": document.get("description", ""),
        }
        self.workflows[document["name"]] = saved
        return httpx.Response(status, json=saved)

    def _put_workflows(self, request: httpx.Request, rest: list[str]) -> httpx.Response:
        known = self.workflows[rest[0]]
        if request.headers["if-match"] != known["etag"]:
            return problem(412, "precondition_failed", "Somebody was faster.")
        document = yaml.safe_load(request.content)
        return self._save(document, known["version"] + (document != known["document"]), 200)

    def _get_workflows(self, request: httpx.Request, rest: list[str]) -> httpx.Response:
        if not rest[0:1] or not rest[0]:
            return page(request, list(self.workflows.values()))
        if rest[0] not in self.workflows:
            return problem(404, "not_found", f"There is no workflow {rest[0]}.")
        return httpx.Response(200, json=self.workflows[rest[0]])

    # --- runs ------------------------------------------------------------------------------------

    def _start(self, request: httpx.Request, name: str) -> httpx.Response:
        if name not in self.workflows:
            return problem(404, "not_found", f"There is no workflow {name}.")
        key = request.headers.get("idempotency-key", "")
        if key in self.keys:
            return httpx.Response(200, json=self.runs[self.keys[key]])
        asked = json.loads(request.content)
        run_id = f"run-{len(self.runs) + 1}"
        self.keys[key] = run_id
        self.runs[run_id] = {
            "id": run_id,
            "workflow": name,
            "version": 1,
            "state": "pending",
            "output": None,
            "error": None,
            "duration_ms": None,
            "created_at": "2026-01-01T00:00:00Z",
            "looks": self.looks,
            **asked,
        }
        return httpx.Response(201, json=self.runs[run_id])

    def _get_runs(self, request: httpx.Request, rest: list[str]) -> httpx.Response:
        if not rest:
            wanted = request.url.params.get("state")
            return page(request, [run for run in self.runs.values() if wanted in (None, run["state"])])
        run = self.runs.get(rest[0])
        if run is None:
            return problem(404, "not_found", f"There is no run {rest[0]}.")
        if len(rest) == 1:
            return httpx.Response(200, json=self._look_at(run))
        return self._part_of_run(request, rest[-1])

    def _look_at(self, run: dict[str, Any]) -> dict[str, Any]:
        run["looks"] -= 1
        if run["looks"] <= 0 and run["state"] in ("pending", "running"):
            run.update(state=self.state, error=self.error, duration_ms=12.5)
            if self.state == "completed":
                run["output"] = {"params": run["params"]}
        elif run["state"] == "pending":
            run["state"] = "running"
        return run

    def _part_of_run(self, request: httpx.Request, part: str) -> httpx.Response:
        if part == "events":
            after = int(request.url.params["after"])
            events: list[dict[str, Any]] = [
                {"seq": seq, "type": "step.started", "data": {}} for seq in range(1, 6)
            ]
            return page(request, [event for event in events if event["seq"] > after])
        if part == "steps":
            counts = {"total": 3, "completed": 3, "failed": 0, "running": 0}
            step = {"id": "a", "type": "map", "state": "completed", "attempts": 1, "counts": counts}
            return httpx.Response(200, json={"results": [step]})
        if part == "state":
            return httpx.Response(200, json={"results": [{"key": "seen", "value": 3, "version": 1}]})
        if part == "why":
            return httpx.Response(
                200, json={"code": "no_agent", "sentence": "All agents are busy.", "facts": {}}
            )
        line = {"id": 1, "at": "2026-01-01T00:00:00Z", "step": "a", "item": 2, "text": "hello"}
        return page(request, [line])

    def _post_runs(self, request: httpx.Request, rest: list[str]) -> httpx.Response:
        run, body = self.runs[rest[0]], json.loads(request.content or b"{}")
        self.acts.append(("/".join(rest[1:]), body))
        states = {"cancel": "cancelled", "pause": "paused", "resume": "running", "retry": "running"}
        if rest[1] == "replay" or body.get("version") is not None:
            new = {**run, "id": f"run-{len(self.runs) + 1}", "state": "pending"}
            self.runs[new["id"]] = new
            return httpx.Response(201, json=new)
        run["state"] = states.get(rest[1], run["state"])
        return httpx.Response(202, json=run)

    # --- pools -----------------------------------------------------------------------------------

    def _get_pools(self, request: httpx.Request, rest: list[str]) -> httpx.Response:
        if not rest:
            return page(request, list(self.pools.values()))
        return httpx.Response(200, json=self.pools[rest[0]])

    def _post_pools(self, request: httpx.Request, rest: list[str]) -> httpx.Response:
        self.pools[rest[0]].update(json.loads(request.content))
        return httpx.Response(200, json=self.pools[rest[0]])

    def _get_agents(self, request: httpx.Request, _rest: list[str]) -> httpx.Response:
        return page(request, [{"id": "agent-1", "pool": request.url.params.get("pool"), "state": "idle"}])


def page(request: httpx.Request, rows: list[Any]) -> httpx.Response:
    """Two rows at a time, with the address of the next page."""
    start = int(request.url.params.get("cursor", 0))
    following = str(request.url.copy_merge_params({"cursor": start + 2})) if start + 2 < len(rows) else None
    return httpx.Response(200, json={"results": rows[start : start + 2], "next": following, "previous": None})


def problem(
    status: int, code: str, detail: str, errors: list[Any] | None = None, *, retry_after: str | None = None
) -> httpx.Response:
    body = {"status": status, "code": code, "title": code, "detail": detail, "errors": errors or []}
    return httpx.Response(status, json=body, headers={"Retry-After": retry_after} if retry_after else None)
