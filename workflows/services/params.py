"""The params of a run: filled in with defaults and checked against the workflow's schema."""

from __future__ import annotations

from typing import Any

import jsonschema
from django.conf import settings

from aflow_site.kernel.errors import Fault, InvalidInput
from aflow_site.kernel.json import to_json
from workflows.domain.document import Document
from workflows.domain.schemas import SchemaUnusable, problems


class InvalidParams(InvalidInput):
    code = "invalid_params"
    title = "The params do not fit the workflow"


def check_params(document: Document, params: Any) -> dict[str, Any]:
    """The params with the schema's top-level defaults filled in; InvalidParams with every fault."""
    if not isinstance(params, dict):
        raise InvalidParams("params must be an object.", faults=[Fault("params", "Send a JSON object.")])
    schema = document.params
    if schema is None:
        if params:
            names = ", ".join(sorted(params))
            fault = Fault("params", f"This workflow takes no params; it does not know {names}.")
            raise InvalidParams(fault.message, faults=[fault])
        return {}
    properties = schema.get("properties", {})
    defaults = {name: part["default"] for name, part in properties.items() if _has_default(part)}
    filled = {**defaults, **params}
    closed = {"additionalProperties": False, **schema} if properties else schema
    try:
        faults = [_param_fault(error) for error in problems(closed, filled)]
    except SchemaUnusable as exc:
        raise InvalidParams(f"The params' schema cannot be used: {exc}. Mend it in the workflow.") from exc
    if not faults and len(to_json(filled)) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        # A sub-workflow's may be computed, and so come to more than anybody could have sent.
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        faults = [Fault("params", f"They are larger than {most} bytes; let a step fetch what is large.")]
    if faults:
        raise InvalidParams(f"{faults[0].path}: {faults[0].message}", faults=faults)
    return filled


def _has_default(part: Any) -> bool:
    return isinstance(part, dict) and "default" in part


def _param_fault(error: jsonschema.ValidationError) -> Fault:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    message = error.message[:500]
    return Fault(f"params{where}", message if message.endswith(".") else f"{message}.")
