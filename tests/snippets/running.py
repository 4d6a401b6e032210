"""Runs a page from its top to its end, as a reader would who types all of it.

A page has a directory of its own. Its Python blocks share a module; a block with the title of a file is
written to it, and one named `test_….py` is run by pytest. Its shell blocks are lines for `bash -eu`; what
one sets (`RUN=…`), the next ones see. A page that needs a platform gets the one that it is run with, in
place of http://127.0.0.1:8000.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

from tests.live_platform import LivePlatform, clean_environment
from tests.snippets import shell
from tests.snippets.checking import check_data
from tests.snippets.fences import ROOT, Fence, fences

PRINTED_URL = "http://127.0.0.1:8000"
BLOCK_SECONDS = 180


class PageRun:
    """Of one page; `directory` is empty before."""

    def __init__(self, page: str, directory: Path, live: LivePlatform | None) -> None:
        self.page = page
        self.directory = directory
        self.live = live
        self.module = types.ModuleType("page_" + re.sub(r"\W", "_", page))
        shell.install(directory)
        (directory / ".venv").symlink_to(sys.prefix)
        if live is not None:
            (directory / ".aflow").symlink_to(live.data_dir)

    def run(self) -> None:
        with self._here():
            for fence in fences(self.page):
                if fence.exempt is None:
                    self._run(fence)

    def _run(self, fence: Fence) -> None:
        if fence.title is not None and fence.language != "json":
            self._write(fence)
        match fence.language:
            case "python":
                self._compare(fence, self._python(fence))
            case "sh":
                self._compare(fence, self._sh(fence))
            case "yaml" | "json":
                check_data(fence)
            case "dockerfile":
                raise AssertionError(
                    f"{fence.where}: nothing here builds images; say above why it is not run."
                )

    def _write(self, fence: Fence) -> None:
        file = self.directory / str(fence.title)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(fence.code)

    def _python(self, fence: Fence) -> str:
        name = fence.title or ""
        if Path(name).name.startswith("test_"):
            return self._program(
                fence, [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", name]
            )
        # Lines of tracebacks are those of the page.
        code = compile("\n" * (fence.line - 1) + fence.code, str(ROOT / self.page), "exec")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            if name:
                module = types.ModuleType(Path(name).stem)
                module.__file__ = str(self.directory / name)
                sys.modules[module.__name__] = module
                exec(code, module.__dict__)
                self.module.__dict__.update(
                    {key: value for key, value in vars(module).items() if not key.startswith("__")}
                )
            else:
                exec(code, self.module.__dict__)
        return printed.getvalue()

    def _sh(self, fence: Fence) -> str:
        kept = self.directory / ".variables"
        code = fence.code if self.live is None else fence.code.replace(PRINTED_URL, self.live.url)
        before = f". {kept}\n" if kept.exists() else ""
        keep = f"declare -p | grep -v '^declare -[a-z]*[ri]' > {kept}"
        script = f"set -eu -o pipefail\n{before}{code}\n{keep}\n"
        printed = self._program(fence, ["bash", "-c", script])
        shell.check_noted(self.directory, fence.where)
        return printed

    def _program(self, fence: Fence, command: list[str]) -> str:
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=BLOCK_SECONDS,
            check=False,
        )
        told = f"{fence.where}: exit code {done.returncode}\n{fence.code}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, told
        return done.stdout

    def _environment(self) -> dict[str, str]:
        mine = {
            "PATH": f"{self.directory}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.directory),
            "PYTHONPATH": f"{self.directory}:{ROOT}",
            "XDG_CONFIG_HOME": str(self.directory / ".config"),
        }
        if self.live is not None:
            mine["AFLOW_DATA_DIR"] = str(self.live.data_dir)
        return clean_environment(**mine)

    def _compare(self, fence: Fence, printed: str) -> None:
        """Raises AssertionError when the page shows another output."""
        if fence.expected is None:
            return
        wanted = re.escape(_plain(fence.expected)).replace("…", r"[\s\S]*?")
        assert re.fullmatch(wanted, _plain(printed)), (
            f"{fence.where}: the page shows\n{fence.expected}\nbut it prints\n{printed}"
        )

    @contextlib.contextmanager
    def _here(self) -> Iterator[None]:
        """Python blocks run in this process: in the directory, and as the platform's user."""
        kept, modules = dict(os.environ), set(sys.modules)
        sys.modules[self.module.__name__] = self.module
        sys.path.insert(0, str(self.directory))
        try:
            with contextlib.chdir(self.directory):
                os.environ["XDG_CONFIG_HOME"] = str(self.directory / ".config")
                if self.live is not None:
                    os.environ["AFLOW_DATA_DIR"] = str(self.live.data_dir)
                yield
        finally:
            sys.path.remove(str(self.directory))
            for name in set(sys.modules) - modules:
                file = getattr(sys.modules[name], "__file__", None) or ""
                if name == self.module.__name__ or file.startswith(str(self.directory)):
                    del sys.modules[name]
            os.environ.clear()
            os.environ.update(kept)


def _plain(text: str) -> str:
    """Spaces at the ends of lines, and how many stand between columns, do not count."""
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())
