"""A workflow document as readable SDK code: compiled again, it gives an equal document.

Code of steps becomes texts at the top of the module; branches, waits, approvals and sub-workflows become what
people write for them; anything else stands as the document has it (`document_step`). The platform's defaults
may be left out or written out, which makes no difference to it.
Does not: check the document. The platform has done that with what it stores.
"""

from __future__ import annotations

import json
import keyword
import pprint
import re
from collections.abc import Iterable, Mapping
from typing import Any

from agentainer_flow.errors import DefinitionError

WIDTH = 96
_STEP_ID = re.compile(r"\A[A-Za-z_][A-Za-z0-9_-]{0,62}\Z")
# What an attribute must not hide from the lines below it: methods that the class gets, functions that are
# imported, and the texts of code.
_TAKEN = frozenset({"to_document", "run_local", "branch", "case", "document_step", "wait"})
_TEXT = re.compile(r"(RUN|MAPPER|REDUCER)_\d+")
_WORKFLOW = ("description", "params", "max_parallel", "timeout", "failure_strategy", "priority")
_MORE = ("max_concurrent_runs", "scaling", "triggers", "defaults", "layout")
_COMMON = frozenset({"id", "type", "name", "needs", "when", "always_run", "compensate"})
Step = Mapping[str, Any]


def _is_said(key: str, value: Any) -> bool:
    """What is empty is the default, but for `scaling`, which then means its own defaults."""
    return value is not None if key == "scaling" else bool(value)


def python_of(document: Mapping[str, Any]) -> str:
    """A module with one class. Raises DefinitionError for what no class can say."""
    return _Export(document).text()


class _Export:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._steps: list[Step] = list(document.get("steps", ()))
        self._attributes = _attributes(self._steps)
        self._codes: dict[str, str] = {}  # source -> the name of its text
        self._names = {"workflow"}  # to import

    def text(self) -> str:
        if not self._steps:
            raise DefinitionError("A workflow without steps cannot be a class yet; add one.")
        body = "\n".join(f"    {line}" if line else "" for step in self._steps for line in self._step(step))
        names = ", ".join(sorted(self._names))
        title = json.dumps(f"The workflow {self._document['name']}.")[1:-1]
        parts = [f'"""{title}"""', f"from agentainer_flow import {names}"]
        parts += [f"{name} = {_text(source)}" for source, name in self._codes.items()]
        parts.append("\n" + self._decorator() + f"class {_class_name(self._document['name'])}:\n{body}")
        return "\n\n".join(parts) + "\n"

    def _decorator(self) -> str:
        given = {"name": self._document["name"]}
        given.update(
            {
                key: self._document[key]
                for key in (*_WORKFLOW, *_MORE)
                if _is_said(key, self._document.get(key))
            }
        )
        arguments = [f"    {key}={_literal(value, 4)},\n" for key, value in given.items()]
        arguments.append(f"    output={_literal(self._document.get('output'), 4)},\n")
        return f"@workflow(\n{''.join(arguments)})\n"

    # --- steps -----------------------------------------------------------------------------------

    def _step(self, step: Step) -> list[str]:
        own = {key: value for key, value in step.items() if key not in _COMMON and value is not None}
        nice = {"branch": self._branch, "wait": self._wait}.get(step["type"], self._written)
        return f"{self._attributes[step['id']]} = {nice(step, own)}".split("\n")

    def _common(self, step: Step, title: str = "name") -> list[str]:
        """Of any step, with its id where the attribute does not tell it."""
        found = []
        if step.get("name"):
            found.append(f"{title}={step['name']!r}")
        found.append(f"depends_on={self._references(step.get('needs', ()))}")
        if step.get("when") is not None:
            found.append(f"when={step['when']!r}")
        if step.get("always_run"):
            found.append("always_run=True")
        if step.get("compensate"):
            found.append(f"compensate={self._attributes[step['compensate']]!r}")
        return found

    def _references(self, ids: Iterable[str]) -> str:
        names = [repr(self._attributes[one]) for one in ids]
        return f"[{', '.join(names)}]" if names else "()"

    def _id(self, step: Step) -> list[str]:
        return [] if self._attributes[step["id"]] == step["id"] else [f"id={step['id']!r}"]

    def _branch(self, step: Step, own: Mapping[str, Any]) -> str:
        self._names |= {"branch", "case"}
        cases = [
            f"case({', '.join([repr(one['when']), *(repr(self._attributes[i]) for i in one['then'])])})"
            for one in own["cases"]
        ]
        otherwise = [f"otherwise={self._references(own['else'])}"] if own.get("else") else []
        listed = "[\n    " + ",\n    ".join(cases) + ",\n]"
        return _call("branch", [listed, *otherwise, *self._id(step), *self._common(step, "title")])

    def _wait(self, step: Step, own: Mapping[str, Any]) -> str:
        if self._id(step) or step.get("name") or not isinstance(own.get("duration"), str):
            return self._written(step, own)
        self._names.add("wait")
        return _call("wait", [repr(own["duration"]), *self._common(step)])

    def _written(self, step: Step, own: Mapping[str, Any]) -> str:
        self._names.add("document_step")
        fields = {key: self._field(key, value) for key, value in own.items()}
        plain = [f"{key}={text}" for key, text in fields.items() if not keyword.iskeyword(key)]
        others = [f"{key!r}: {text}" for key, text in fields.items() if keyword.iskeyword(key)]
        spread = [f"**{{{', '.join(others)}}}"] if others else []
        arguments = [repr(step["type"]), *self._id(step), *self._common(step), *plain, *spread]
        return _call("document_step", arguments)

    def _field(self, key: str, value: Any) -> str:
        if key in ("run", "mapper", "reducer") and isinstance(value.get("code"), str):
            more = "".join(f", {one!r}: {said!r}" for one, said in value.items() if one != "code")
            return f'{{"code": {self._code(value["code"], key)}{more}}}'
        return _literal(value, 4)

    def _code(self, source: str, role: str) -> str:
        if source not in self._codes:
            name = f"{role.upper()}_{len(self._codes) + 1}"
            self._codes[source] = name
        return self._codes[source]


def _attributes(steps: Iterable[Step]) -> dict[str, str]:
    """Id -> attribute: the id itself where Python allows it."""
    found: dict[str, str] = {}
    for step in steps:
        name = re.sub(r"\W", "_", step["id"])
        if _is_taken(name):
            name = f"step_{name.strip('_')}"
        while name in found.values():
            name += "_"
        found[step["id"]] = name
    return found


def _is_taken(name: str) -> bool:
    of_python = keyword.iskeyword(name) or keyword.issoftkeyword(name) or name.startswith("__")
    return of_python or name in _TAKEN or _TEXT.fullmatch(name) is not None


def _class_name(name: str) -> str:
    found = "".join(part.capitalize() for part in re.split(r"[^A-Za-z0-9]+", name))
    return found if found[:1].isalpha() and not keyword.iskeyword(found) else f"Workflow{found}"


def _call(name: str, arguments: list[str]) -> str:
    short = f"{name}({', '.join(arguments)})"
    if len(short) < WIDTH and "\n" not in short:
        return short
    lines = [("\n" + one).replace("\n", "\n    ") for one in arguments]
    return f"{name}({','.join(lines)},\n)"


def _literal(value: Any, indent: int) -> str:
    text = pprint.pformat(value, width=WIDTH - indent, sort_dicts=False)
    return text.replace("\n", "\n" + " " * indent) if indent else text


def _text(source: str) -> str:
    """A text of several lines as it reads, where that is the same text."""
    lines = source.replace("\\", "\\\\").replace('"""', '\\"""')
    written = f'"""\\\n{lines}"""'
    if not source.isprintable() and any(not (c.isprintable() or c == "\n") for c in source):
        return repr(source)
    return written if source and not lines.endswith('"') else repr(source)
