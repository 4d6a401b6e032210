"""What `code-census.yaml` computes, as one plain script without the platform: prints the report as JSON.

Run it with the agents' own Python to compare: ``python code_census_plain.py [ROOT] [LIMIT]``.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

LEFT_OUT = {"site-packages", "dist-packages", "__pycache__"}


class Census(ast.NodeVisitor):
    """Adds up one tree after the other."""

    def __init__(self) -> None:
        self.functions = self.classes = self.documented = self.documentable = 0
        self.importers: Counter[str] = Counter()
        self.longest: tuple[int, str, str] | None = None  # minus lines, path, name
        self._path = ""
        self._imported: set[str] = set()

    def add(self, path: str, tree: ast.Module) -> None:
        self._path, self._imported = path, set()
        self.visit(tree)
        self.importers.update(self._imported)

    def visit_Module(self, node: ast.Module) -> None:
        self._document(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.classes += 1
        self._document(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.functions += 1
        assert node.end_lineno is not None
        candidate = (node.lineno - node.end_lineno - 1, self._path, node.name)
        self.longest = min(self.longest or candidate, candidate)
        self._document(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Import(self, node: ast.Import) -> None:
        self._imported |= {name.name.split(".")[0] for name in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level == 0 and node.module:
            self._imported.add(node.module.split(".")[0])

    def _document(self, node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.documentable += 1
        self.documented += ast.get_docstring(node, clean=False) is not None
        self.generic_visit(node)


def python_files(root: Path) -> list[str]:
    """Relative paths, sorted."""
    found = (path.relative_to(root) for path in root.rglob("*.py") if path.is_file() or path.is_symlink())
    return sorted(str(path) for path in found if not LEFT_OUT.intersection(path.parts[:-1]))


def report(root: Path, limit: int | None = None) -> dict[str, Any]:
    """The census of the Python files below `root` (of the first `limit` by name)."""
    census = Census()
    modules: list[dict[str, Any]] = []
    unparsed = 0
    paths = python_files(root)[:limit]
    for path in paths:
        try:
            source = (root / path).read_bytes()
            tree = ast.parse(source)
        except (OSError, SyntaxError, ValueError, RecursionError):
            unparsed += 1
            continue
        functions, classes = census.functions, census.classes
        census.add(path, tree)
        modules.append(
            {
                "path": path,
                "lines": len(source.splitlines()),
                "functions": census.functions - functions,
                "classes": census.classes - classes,
            }
        )
    minus_lines, file, name = census.longest or (0, None, None)
    modules.sort(key=lambda module: (-module["lines"], module["path"]))
    imported = sorted(census.importers.items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "files": len(paths),
        "unparsed": unparsed,
        "missing": 0,
        "lines": sum(module["lines"] for module in modules),
        "functions": census.functions,
        "classes": census.classes,
        "documentable": census.documentable,
        "documented": census.documented,
        "docstring_coverage": round(census.documented / max(1, census.documentable), 4),
        "longest_function": name,
        "longest_function_file": file,
        "longest_function_lines": -minus_lines,
        "largest_modules": modules[:10],
        "most_imported": [{"module": module, "files": count} for module, count in imported[:10]],
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.__file__))
    print(json.dumps(report(directory, int(sys.argv[2]) if len(sys.argv) > 2 else None), indent=2))
