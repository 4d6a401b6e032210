"""Finds the workflow class in a user's Python file."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from agentainer_flow.errors import BundleError, FlowError
from agentainer_flow.sdk.bundling import check_module_name
from agentainer_flow.sdk.definition import MARK


def workflow_class_of(file: Path) -> type:
    """Imports the file and returns its only class under `@workflow`. Raises FlowError with a sentence."""
    if not file.is_file():
        raise BundleError(f"There is no file {file}.")
    check_module_name(file.stem, file.name)  # before its module hides another one
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise BundleError(f"{file} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    sys.path.insert(0, str(file.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except FlowError:
        raise
    except (Exception, SystemExit) as exc:  # whatever the user's module does
        raise BundleError(f"{file} cannot be imported: {type(exc).__name__}: {exc}") from exc
    finally:
        sys.path.remove(str(file.resolve().parent))
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and MARK in vars(value) and value.__module__ == file.stem
    ]
    if len(found) != 1:
        names = ", ".join(cls.__name__ for cls in found) or "none"
        raise BundleError(f"{file} must define one class under @workflow; it has {names}.")
    return found[0]
