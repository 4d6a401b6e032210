"""What a workflow's module imports that agents do not have, found before it is deployed.

Agents have the standard library, this package, and what the bundle holds. Workflows with requirements are not
looked at: under which names those are imported only they know. Imports that run only when somebody
asks (inside functions, `if` and `try`) are not looked at: whoever writes them knows that they may fail.
"""

from __future__ import annotations

import ast
import io
import sys
from collections.abc import Iterator

from agentainer_flow.errors import BundleError
from agentainer_flow.sdk.bundling import Bundle

_THERE = frozenset({*sys.stdlib_module_names, "agentainer_flow", "fsspec", "obstore", "typing_extensions"})


def check_imports(bundle: Bundle) -> None:
    """Raises BundleError, which names the file, the line and the module."""
    import zipfile  # whoever only defines a workflow does not wait for it

    with zipfile.ZipFile(io.BytesIO(bundle.content)) as archive:
        names = set(archive.namelist())
        own = {name.partition("/")[0].removesuffix(".py") for name in names}
        waiting, seen = [bundle.module], set[str]()
        while waiting:
            module = waiting.pop()
            file = _file_of(module, names)
            if file is None or file in seen:
                continue
            seen.add(file)
            for line, wanted in _imports(archive.read(file), module, is_package=file.endswith("__init__.py")):
                if wanted.partition(".")[0] in own:
                    waiting.append(wanted)
                elif wanted.partition(".")[0] not in _THERE:
                    raise BundleError(
                        f"{file}, line {line}, imports {wanted}, which agents do not have: they have the"
                        " standard library and the workflow's own package. Name its package among the"
                        " requirements of @workflow, or import it where it is used."
                    )


def _file_of(module: str, names: set[str]) -> str | None:
    path = module.replace(".", "/")
    while path:
        for file in (f"{path}.py", f"{path}/__init__.py"):
            if file in names:
                return file
        path = path.rpartition("/")[0]  # `from package import name`: a name may be no module
    return None


def _imports(source: bytes, module: str, *, is_package: bool) -> Iterator[tuple[int, str]]:
    """The line and the module of each import at the top of a file."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return  # it came from a file that was imported here; another of the bundle need not be Python of ours
    home = module if is_package else module.rpartition(".")[0]
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = home.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"
