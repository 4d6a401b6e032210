"""How the commands speak: one line for each step, with its result and time; plain where nobody watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.markup import escape


class Step:
    """What a step says when it ends; `note` replaces what came before it."""

    def __init__(self, title: str, spin: Console | None) -> None:
        self.title = title
        self.result = ""
        self._status = spin.status(f"{escape(title)} …") if spin is not None else None

    def note(self, text: str) -> None:
        self.result = text

    def progress(self, text: str) -> None:
        """For the moment only: shown beside the spinner on a terminal."""
        if self._status is not None:
            self._status.update(f"{escape(self.title)}: {escape(text)}")

    def show(self, visible: bool) -> None:
        if self._status is None:
            return
        if visible:
            self._status.start()
        else:
            self._status.stop()


class Voice:
    """`file`: where all of it goes, complaints too; None: to the terminal."""

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file
        self.console = Console(highlight=False, soft_wrap=True, file=file)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Prints the step with ✓ when it ends well, with ✗ when it raises."""
        step = Step(title, self.console if self.console.is_terminal else None)
        started = time.monotonic()
        step.show(True)
        try:
            yield step
        except BaseException:
            step.show(False)
            self.console.print(f"  [red]✗[/red] {escape(title)}")
            raise
        step.show(False)
        seconds = time.monotonic() - started
        told = f": {escape(step.result)}" if step.result else ""
        self.console.print(f"  [green]✓[/green] {escape(title)}{told} [dim]{seconds:.1f} s[/dim]")

    def say(self, text: str = "") -> None:
        self.console.print(escape(text))

    def heading(self, text: str) -> None:
        self.console.print(f"\n[bold]{escape(text)}[/bold]")

    def complain(self, text: str) -> None:
        sys.stdout.flush()
        loud = self.console if self._file else Console(stderr=True, highlight=False, soft_wrap=True)
        loud.print(f"[red]{escape(text)}[/red]")
