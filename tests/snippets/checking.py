"""What data on a page must be: a document, a trigger, agents to deploy, or a shape of the API."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import yaml

from handbook.reference.rest import openapi
from pools.domain.deployment_documents import read_document
from tests.snippets.fences import Fence
from workflows.domain.validation import check_document

# title="GET /runs/{id}/": the block is an answer of that address; "POST …": a body for it.
_ADDRESS = re.compile(r"^(GET|POST|PUT|PATCH) (/\S*)$")


def check_data(fence: Fence) -> None:
    """Raises AssertionError when the block is not what it must be."""
    value = _parsed(fence)
    address = _ADDRESS.match(fence.title or "")
    if address is not None:
        _check_shape(fence, value, address[1].lower(), "/api/v1" + address[2])
    elif isinstance(value, dict) and "steps" in value:
        _check_document(fence, value)
    elif isinstance(value, dict) and value.get("kind") == "AgentDeployment":
        read_document(value)
    elif isinstance(value, list) and all(isinstance(one, dict) and "type" in one for one in value):
        _check_document(fence, {"name": "page", "steps": value})
    else:
        assert fence.title is not None, (
            f"{fence.where}: this is no document, no steps and no deployment. Give it the title of a file "
            'that the page uses, or the address that takes or gives it (title="POST /pools/").'
        )


def _parsed(fence: Fence) -> Any:
    try:
        return json.loads(fence.code) if fence.language == "json" else yaml.safe_load(fence.code)
    except (ValueError, yaml.YAMLError) as exc:
        raise AssertionError(f"{fence.where}: {exc}") from exc


def _check_document(fence: Fence, document: dict[str, Any]) -> None:
    _, faults = check_document(document)
    assert faults == [], f"{fence.where}: {faults}"
    for step in document["steps"]:
        for part in ("run", "mapper", "reducer"):
            code = (step.get(part) or {}).get("code")
            if code is not None:
                compile(code, f"<{fence.where}: {step['id']}>", "exec")


def _check_shape(fence: Fence, value: Any, method: str, path: str) -> None:
    """An answer may be shown in part; a body must be whole."""
    found = openapi()
    operation = found["paths"].get(path, {}).get(method)
    assert operation is not None, f"{fence.where}: the API has no {fence.title}"
    told = operation["responses"]["200"] if method == "get" else operation["requestBody"]
    schema = next(iter(told["content"].values()))["schema"]
    shape = found["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    required = [] if method == "get" else shape.get("required", [])
    whole = {
        "type": "object",
        "properties": shape["properties"],
        "required": required,
        "additionalProperties": False,
        "components": found["components"],
    }
    faults = jsonschema.Draft202012Validator(whole).iter_errors(value)
    errors = [f"{one.json_path}: {one.message}" for one in faults]
    assert errors == [], f"{fence.where}: {errors}"
