"""Packs the module of a workflow class for the agents: a zip archive that is the same for the same content.

A module outside of packages goes alone; of a package goes the whole of the outermost package's directory.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from agentainer_flow.errors import BundleError

MAX_BYTES = 50 * 1024 * 1024
_LEFT_OUT = {"__pycache__", "node_modules"}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file: times must not change the hash


@dataclass(frozen=True, slots=True)
class Bundle:
    """`module` is the name under which agents import the workflow's module; `content` the zip archive."""

    module: str
    content: bytes
    sha256: str


def make_bundle(cls: type) -> Bundle:
    """Raises BundleError with a sentence."""
    if "<locals>" in cls.__qualname__:
        raise BundleError(
            f"{cls.__name__} is defined inside a function, where agents cannot import it; move it to the"
            " top of its module."
        )
    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None)
    if module is None or file is None or not Path(file).is_file():
        raise BundleError(
            f"{cls.__name__} does not come from a file; write it into a module, which the agents then get."
        )
    path = Path(file).resolve()
    name = _import_name(module, path)
    files = _package_files(name, path) if "." in name else {path.name: path}
    files |= _source_files(cls, _home(name, path))
    import hashlib  # which loads much; see `_zip`

    content = _zip(files)
    return Bundle(name, content, hashlib.sha256(content).hexdigest())


def check_module_name(name: str, file: str) -> None:
    """That agents can import a `file`'s module as `name`. Raises BundleError."""
    if not all(part.isidentifier() for part in name.split(".")):
        raise BundleError(f"{file} cannot be imported by that name; rename it, with letters, digits and _.")
    outermost = name.partition(".")[0]
    if outermost in sys.stdlib_module_names or outermost == "agentainer_flow":
        raise BundleError(
            f"{file}: agents have a module {outermost} already, and would import that one; rename yours."
        )


def check_class_name(cls: type) -> None:
    """That the class's name leads to it: agents know no more of it. Raises BundleError."""
    module = sys.modules[cls.__module__]
    found: object = module
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    if found is not cls:
        what = "nothing" if found is None else "something else"
        raise BundleError(
            f"The name {cls.__qualname__} in {module.__name__} leads to {what}, not to this workflow, and"
            " agents find a class by its name; give each a name of its own, by which its module has it."
        )


def home_of(cls: type) -> Path | None:
    """The directory of the class's module that is the bundle's root in agents; None without a file."""
    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None)
    if module is None or file is None:
        return None
    return _home(_import_name(module, Path(file).resolve()), Path(file).resolve())


def _home(name: str, path: Path) -> Path:
    return _outermost(name, path).parent if "." in name else path.parent


def _source_files(cls: type, home: Path) -> dict[str, Path]:
    """What the workflow's sources name by relative paths."""
    found: dict[str, Path] = {}
    for named in getattr(vars(cls).get("__agentainer_workflow__"), "files", ()):
        path = home / named
        if not path.resolve().is_relative_to(home.resolve()):
            raise BundleError(
                f"The source {named} lies outside of {home.name}/, and so does not go to agents."
            )
        if not path.exists():
            raise BundleError(f"There is no {named} in {home}, which a source of {cls.__name__} names.")
        inside = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        found |= {one.relative_to(home).as_posix(): one for one in inside if not one.name.startswith(".")}
    size = sum(one.stat().st_size for one in found.values())
    if size > MAX_BYTES:
        limit = MAX_BYTES // 1024**2
        raise BundleError(
            f"The sources of {cls.__name__} have more than {limit} MiB; put them where a URL leads."
        )
    return found


def _import_name(module: ModuleType, path: Path) -> str:
    name = module.__name__
    if name == "__main__":
        spec = module.__spec__  # of `python -m package.module`; None for a script
        name = path.stem if spec is None else spec.name
    elif "." in name and not _has_package(name, path):
        name = path.stem  # imported under a made-up name, as test runners do
    check_module_name(name, path.name)
    return name


def _outermost(name: str, path: Path) -> Path:
    """Where the directory of the outermost package of module `name` must lie."""
    levels = name.count(".") - (path.name != "__init__.py")
    return path.parents[levels]


def _has_package(name: str, path: Path) -> bool:
    return _outermost(name, path).name == name.partition(".")[0]


def _package_files(name: str, path: Path) -> dict[str, Path]:
    root = _outermost(name, path)
    found: dict[str, Path] = {}
    size = 0
    for file in sorted(root.rglob("*")):
        parts = file.relative_to(root).parts
        if _LEFT_OUT.intersection(parts) or any(part.startswith(".") for part in parts):
            continue
        if not file.is_file() or file.suffix in (".pyc", ".pyo"):
            continue
        size += file.stat().st_size
        if size > MAX_BYTES:
            limit = MAX_BYTES // 1024**2
            raise BundleError(f"The package {root.name} has more than {limit} MiB; move its data elsewhere.")
        found["/".join((root.name, *parts))] = file
    return found


def _zip(files: dict[str, Path]) -> bytes:
    import zipfile  # whoever only defines a workflow does not wait for it

    buffer = io.BytesIO()
    # Stored, not deflated: what deflating gives differs between versions of zlib.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, file in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())
    return buffer.getvalue()
