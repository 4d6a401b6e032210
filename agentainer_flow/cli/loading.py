"""Finds the workflow class in a user's Python file."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from agentainer_flow.errors import BundleError, FlowError
from agentainer_flow.sdk.bundling import check_module_name
from agentainer_flow.sdk.definition import MARK


def workflow_class_of(file: Path, name: str | None = None) -> type:
    """Imports the file and returns its class under `@workflow`, of several the one of that name. A file of a
    package is imported as its module. Raises FlowError with a sentence."""
    if not file.is_file():
        raise BundleError(f"There is no file {file}.")
    found = {
        value.__name__: value
        for value in vars(_module_of(file)).values()
        if isinstance(value, type) and MARK in vars(value) and value.__module__ == _place_of(file)[1]
    }
    if name is not None:
        if name not in found:
            raise BundleError(f"{file} has no class {name} under @workflow; it has {_list(found)}.")
        return found[name]
    if len(found) != 1:
        which = f"; say which: {file}:{next(iter(found))}" if found else ""
        raise BundleError(f"{file} must define one class under @workflow; it has {_list(found)}{which}.")
    return next(iter(found.values()))


def _list(found: Iterable[str]) -> str:
    return ", ".join(found) or "none"


def _place_of(file: Path) -> tuple[Path, str]:
    """The directory to import from, and the module's name there."""
    home, parts = file.resolve().parent, [file.stem]
    while (home / "__init__.py").is_file():
        home, parts = home.parent, [home.name, *parts]
    return home, ".".join(parts)


def _module_of(file: Path) -> ModuleType:
    home, name = _place_of(file)
    check_module_name(name, file.name)  # before its module hides another one
    sys.path.insert(0, str(home))
    try:
        if "." in name:
            return importlib.import_module(name)
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise BundleError(f"{file} is no Python file.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    except FlowError:
        raise
    except (Exception, SystemExit) as exc:  # whatever the user's module does
        raise BundleError(f"{file} cannot be imported: {type(exc).__name__}: {exc}") from exc
    finally:
        sys.path.remove(str(home))
    return module
