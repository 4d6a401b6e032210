"""Whoever asked has gone before the answer: told once, by any thread, to all who care."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock


class HangUp:
    def __init__(self) -> None:
        self._lock = Lock()
        self._told = False
        self._callbacks: list[Callable[[], None]] = []

    def then(self, callback: Callable[[], None]) -> None:
        """Calls it when that happens, or now if it has; in the thread that tells."""
        with self._lock:
            if not self._told:
                self._callbacks.append(callback)
                return
        callback()

    def tell(self) -> None:
        with self._lock:
            self._told = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()
