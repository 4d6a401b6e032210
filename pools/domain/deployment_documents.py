"""Documents of deployments: `kind: AgentDeployment`, or one agent as a flat object. Every fault at once.

    kind: AgentDeployment
    metadata: {name: crew}
    spec:
      agents:
        - {name: worker, image: worker:1, replicas: 2, env: {LEVEL: "${LEVEL:-info}"}}

`spec` may also be one agent's fields themselves; its name is then `metadata.name`.
Does not: read the environment of any process: variables are those that came with the document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from aflow_site.kernel.errors import Fault, InvalidInput
from pools.domain.deployment_forms import HOSTS, AgentForm

KIND = "AgentDeployment"
VERSIONS = ("agentainer.flow/v1", "v1")
MAX_DEPTH = 16
MOST_AGENTS = 200  # of one document
_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}", re.ASCII)


def read_document(
    data: Any, variables: Mapping[str, str] | None = None, host_directories: Sequence[str] = ()
) -> list[AgentForm]:
    """The agents to deploy, one for each replica. Raises `InvalidInput` with every fault."""
    faults: list[Fault] = []
    if not isinstance(data, dict):
        raise InvalidInput(f"Send one agent as an object, or a document with kind: {KIND}.")
    if _too_deep(data):
        raise InvalidInput(f"The document is nested deeper than {MAX_DEPTH} levels; flatten it.")
    if "kind" in data or "spec" in data:
        data = _filled(data, variables or {}, "", faults)
        entries = _entries(data, faults)
    else:
        entries = [("", data)]
    forms = [(path, _form(path, entry, host_directories, faults)) for path, entry in entries]
    made = [(path, form) for path, form in forms if form is not None]
    agents = [agent for _, form in made for agent in form.agents()]
    _check_names([(path, agent.name) for path, form in made for agent in form.agents()], faults)
    if len(agents) > MOST_AGENTS:
        faults.append(Fault("spec.agents", f"These are {len(agents)} agents; {MOST_AGENTS} is the most."))
    if faults:
        raise InvalidInput("The deployment is not valid.", faults=faults)
    return agents


def _entries(data: Mapping[str, Any], faults: list[Fault]) -> list[tuple[str, Any]]:
    """(path, agent) of a document."""
    if data.get("kind") != KIND:
        faults.append(Fault("kind", f"It must be {KIND}."))
    if data.get("apiVersion", VERSIONS[0]) not in VERSIONS:
        faults.append(Fault("apiVersion", f"Use {VERSIONS[0]}."))
    unknown = sorted(map(str, set(data) - {"apiVersion", "kind", "metadata", "spec"}))
    faults += [Fault(name, _SENTENCES["extra_forbidden"]) for name in unknown]
    metadata, spec = data.get("metadata") or {}, data.get("spec")
    if not isinstance(metadata, dict):
        faults.append(Fault("metadata", "It should be an object."))
        metadata = {}
    if not isinstance(spec, dict):
        faults.append(Fault("spec", "It should be an object with `agents`, or with one agent's fields."))
        return []
    if "agents" not in spec:
        return [("spec", {"name": metadata.get("name"), **spec})]
    agents = spec["agents"]
    astray = sorted(map(str, set(spec) - {"agents"}))
    faults += [
        Fault(f"spec.{name}", "It belongs to an agent; move it into one of `agents`.") for name in astray
    ]
    if not isinstance(agents, list) or not agents:
        faults.append(Fault("spec.agents", "It should be a list of at least one agent."))
        return []
    return [(f"spec.agents[{index}]", agent) for index, agent in enumerate(agents)]


def _form(path: str, entry: Any, hosts: Sequence[str], faults: list[Fault]) -> AgentForm | None:
    if not isinstance(entry, dict):
        faults.append(Fault(path or "$", "An agent should be an object with a name."))
        return None
    try:
        return AgentForm.model_validate(entry, context={HOSTS: hosts})
    except ValidationError as exc:
        found = {
            (_path(path, detail["loc"], entry), _sentence(detail)): None
            for detail in exc.errors(include_url=False)
        }
        faults += [Fault(where, sentence) for where, sentence in found]
        return None


def _path(start: str, parts: Sequence[int | str], entry: Any) -> str:
    """Without the names of union members and validators, which the author never wrote."""
    text, value = start, entry
    for position, part in enumerate(parts):
        known = isinstance(part, int) or (isinstance(value, dict) and part in value)
        if not known and position < len(parts) - 1:
            continue
        if not known and position and not isinstance(value, dict):
            continue
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            value = None
    return text.lstrip(".") or "$"


_SENTENCES = {
    "missing": "This field is required; add it.",
    "extra_forbidden": "This field is not known here; remove it, or check its spelling.",
    "model_type": "This should be an object.",
}
_WORDS = {
    "Input should be a valid dictionary": "This should be an object",
    "Input should be a valid tuple": "This should be a list",
    "Input should be a valid": "This should be a",
    "Input should": "This should",
    "a integer": "a whole number",
    "a boolean": "true or false",
    "a string": "text",
    "List should": "This list should",
    "Dictionary should": "This should",
    "String should": "This text should",
}


def _sentence(detail: Any) -> str:
    if detail["type"] in _SENTENCES:
        return _SENTENCES[detail["type"]]
    if detail["type"] == "value_error":
        return str(detail.get("ctx", {}).get("error", detail["msg"]))
    message = str(detail["msg"])
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    return message if message.endswith(".") else message + "."


def _check_names(named: Sequence[tuple[str, str]], faults: list[Fault]) -> None:
    seen: set[str] = set()
    for path, name in named:
        if name in seen:
            faults.append(Fault(f"{path}.name".lstrip("."), f"Two agents would be called {name}."))
        seen.add(name)


def _filled(value: Any, variables: Mapping[str, str], path: str, faults: list[Fault]) -> Any:
    """`${NAME}` and `${NAME:-default}` replaced in every text; `$$` is a dollar sign."""
    if isinstance(value, dict):
        return {
            key: _filled(child, variables, f"{path}.{key}".lstrip("."), faults)
            for key, child in value.items()
        }
    if isinstance(value, list):
        return [_filled(child, variables, f"{path}[{index}]", faults) for index, child in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        if name is None:
            return "$"
        if name in variables:
            return variables[name]
        if default is None:
            sentence = (
                f"There is no variable {name}; give it with the document, or write ${{{name}:-default}}."
            )
            faults.append(Fault(path or "$", sentence))
        return default or ""

    return _VARIABLE.sub(replace, value)


def _too_deep(value: Any) -> bool:
    todo = [(value, 1)]
    while todo:
        current, level = todo.pop()
        if level > MAX_DEPTH:
            return True
        if isinstance(current, dict):
            current = list(current.values())
        if isinstance(current, list):
            todo += [(child, level + 1) for child in current]
    return False
