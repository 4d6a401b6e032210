"""Every request that the SDK's client can send is one that the platform's OpenAPI schema describes."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import yaml
from django.core.management import call_command

from agentainer_flow import WorkflowClient
from agentainer_flow.client.execution import WorkflowExecution

PREFIX = "/api/v1"
# They send what is of no shape in the schema (bundles, documents as text), or nothing at all.
NOT_CALLED = {"close", "deploy", "url"}
VALUES: dict[str, Any] = {
    "params": {},
    "tags": ["a"],
    "document": {"name": "w", "steps": []},
    "changes": {},
    "settings": {},
    "target": "w",
    "content": b"{}",
    "content_type": "application/json",
    "variables": {},
    "mode": None,
    "approve": True,
    "kind": "schedule",
    "state": "running",
    "verb": "start",
    "config": {},
    "image": "python",
    "items": None,
    "since": datetime(2027, 1, 1, tzinfo=UTC),
    "until": datetime(2027, 1, 2, tzinfo=UTC),
    "scope": "pool",
    "group": "pool",
    "limit": 5,
}
OF_EVERY_LIST = {"limit", "cursor"}
RUN = {"id": "00000000-0000-7000-8000-000000000000", "state": "completed", "output": None}


class Recorder:
    """Answers everything with something, and keeps what was asked."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        workflow = {"name": "w", "version": 1, "document": {}, "etag": '"1"'}
        body = {**RUN, **workflow, "results": [], "next": None, "lines": [], "key": "k", "secret": "s"}
        return httpx.Response(200, json=body)


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = tmp_path_factory.mktemp("schema") / "openapi.yaml"
    call_command("spectacular", "--file", str(file))
    found: dict[str, Any] = yaml.safe_load(Path(file).read_text())
    return found


def arguments(method: Any) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, one in inspect.signature(method).parameters.items():
        if one.kind is one.VAR_KEYWORD:
            continue
        if name in VALUES:
            given[name] = VALUES[name]
        elif "int" in str(one.annotation) or "float" in str(one.annotation):
            given[name] = 1
        elif "bool" in str(one.annotation):
            given[name] = True
        else:
            given[name] = "00000000-0000-7000-8000-000000000000"
    return {name: value for name, value in given.items() if value is not None}


def asked() -> Iterator[tuple[str, httpx.Request]]:
    recorder = Recorder()
    with WorkflowClient("http://platform.test", "t", transport=recorder.transport) as client:
        owners: list[Any] = [client, WorkflowExecution(client._transport, dict(RUN))]
        for owner in owners:
            for name, method in inspect.getmembers(owner, inspect.ismethod):
                if name.startswith("_") or name in NOT_CALLED:
                    continue
                result = method(**arguments(method))
                if inspect.isgenerator(result):
                    list(result)
                while recorder.requests:
                    yield f"{type(owner).__name__}.{name}", recorder.requests.pop(0)


ASKED = list(asked())


def test_every_method_asks_something() -> None:
    names = {name for name, _ in ASKED}
    assert len(names) > 50
    assert "WorkflowClient.create_trigger" in names


@pytest.mark.parametrize(
    ("name", "request_"), ASKED, ids=[f"{name}-{n}" for n, (name, _) in enumerate(ASKED)]
)
def test_the_schema_knows_it(schema: dict[str, Any], name: str, request_: httpx.Request) -> None:
    operation = found_operation(schema, request_)
    known = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
    assert set(request_.url.params) - OF_EVERY_LIST <= known, f"{name} asks with more than {known}"
    if request_.headers.get("content-type") == "application/json" and request_.content:
        body = json.loads(request_.content)
        content = operation["requestBody"]["content"]["application/json"]["schema"]
        whole = {**content, "components": schema["components"]}
        unknown = set(body) - properties(schema, content) if isinstance(body, dict) else set()
        assert not unknown, f"{name} sends {unknown}"
        errors = [
            error.message
            for error in jsonschema.Draft202012Validator(whole).iter_errors(body)
            if error.validator in ("required", "type")
        ]
        assert errors == []


def found_operation(schema: dict[str, Any], request: httpx.Request) -> dict[str, Any]:
    for path, operations in schema["paths"].items():
        pattern = re.sub(r"\{[^}]+\}", "[^/]+", path)
        method = request.method.lower()
        if re.fullmatch(pattern, request.url.path) and method in operations:
            return dict(operations[method])
    raise AssertionError(f"the schema has no {request.method} {request.url.path}")


def properties(schema: dict[str, Any], part: dict[str, Any]) -> set[str]:
    """The names that an object may have; of one without a shape, any of ours."""
    if "$ref" in part:
        part = schema["components"]["schemas"][part["$ref"].rpartition("/")[2]]
    found = set(part.get("properties", {}))
    for inner in [*part.get("allOf", []), *part.get("oneOf", []), *part.get("anyOf", [])]:
        found |= properties(schema, inner)
    free = not found or part.get("additionalProperties")
    return {"document", "variables", "name", "params", "steps", "input", "code"} | found if free else found
