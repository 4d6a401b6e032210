"""Takes the fence out of the engine, for the proof that the chaos suite notices (never for anything else).

Python imports this module at its start when its folder is in PYTHONPATH. Modules that compare fences are
changed as they are loaded: whoever once drove a run may go on writing it.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from types import ModuleType
from typing import Any

CHANGES = {
    "workflows.services.journal": [("AND fence = %s", "AND fence >= 0 * %s")],
    "workflows.engine.host": [("if claim is None or claim.fence != driver.run.fence:", "if False:")],
}


class Unfenced(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> Any:
        source = self.get_data(self.path).decode()
        for fenced, unfenced in CHANGES[self.name]:
            assert fenced in source, f"{self.name} compares fences in another way now"
            source = source.replace(fenced, unfenced)
        return compile(source, self.path, "exec")


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> Any:
        if name not in CHANGES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = Unfenced(name, spec.origin)
        return spec


sys.meta_path.insert(0, Finder())
