"""Gathers this interpreter, its standard library, the agent and every library they load below one directory
(the first argument), so that they run in images that have none of them.

Runs inside the built-in agent's image while another image is built, hence imports the standard library alone.
The loader goes along under a fixed name: it is what starts the interpreter, whatever C library is there.
"""

from __future__ import annotations

import contextlib
import importlib
import py_compile
import shutil
import sys
import sysconfig
from pathlib import Path

LEFT_OUT = shutil.ignore_patterns(
    "*.pyc", "__pycache__", "config-*", "curses", "dist-packages", "ensurepip", "idlelib", "lib2to3",
    "pydoc_data", "site-packages", "sqlite3", "test", "tests", "tkinter", "turtledemo",
    "_curses*", "_dbm*", "_gdbm*", "_sqlite3*", "_test*", "_tkinter*", "_xx*", "readline*",
)  # fmt: skip


def gather(root: Path) -> None:
    python = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib")).resolve()
    target = root / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copytree(library, target, ignore=LEFT_OUT)
    agent = importlib.import_module("agentainer_flow")
    assert agent.__file__ is not None
    shutil.copytree(Path(agent.__file__).parent, target / "agentainer_flow", ignore=LEFT_OUT)
    (root / "bin").mkdir()
    shutil.copy(python, root / "bin" / "python3")
    _compile(library, target)
    for extension in _extensions(target):
        with contextlib.suppress(ImportError):  # those whose libraries are not in this image either
            importlib.import_module(extension)
    for path in _loaded():
        name = "ld.so" if path.name.startswith(("ld-", "ld.")) else path.name
        shutil.copy(path.resolve(), root / "lib" / name)


def _compile(library: Path, target: Path) -> None:
    """What every start needs, to be believed whatever the files' times become."""
    importlib.import_module("agentainer_flow.agent.__main__")
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for module in list(sys.modules.values()):
        file = Path(getattr(module, "__file__", None) or "/")
        name = module.__name__
        inside = name.startswith("agentainer_flow") or file.is_relative_to(library)
        if file.suffix == ".py" and inside:
            here = f"{name.replace('.', '/')}/__init__.py" if file.name == "__init__.py" else None
            path = target / (here or f"{name.replace('.', '/')}.py")
            if path.exists():
                py_compile.compile(str(path), invalidation_mode=unchecked)


def _extensions(library: Path) -> list[str]:
    return sorted(path.name.partition(".")[0] for path in (library / "lib-dynload").glob("*.so"))


def _loaded() -> set[Path]:
    """The shared libraries in this process's memory, but for the interpreter's own extensions."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    paths = {Path(fields[5]) for line in lines if len(fields := line.split(maxsplit=5)) == 6}
    return {path for path in paths if ".so" in path.name and path.parent.name != "lib-dynload"}


if __name__ == "__main__":
    gather(Path(sys.argv[1]))
