"""How much one evaluation of an expression may do, and what is said when it may not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

MOST_WORK = 2_000_000  # values in and out of the evaluator; a million take it about half a second
TURN = 10  # values that cost as much as one turn of a loop
CHARACTERS = 64  # of text, that count as a value


class ExpressionError(ValueError):
    """The expression cannot be read, or gives no value here; the message is a sentence for its author."""


class Work:
    """What one evaluation may still do."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._left = MOST_WORK

    def spend(self, value: Any, more: int = 0) -> None:
        """Raises ExpressionError."""
        self._left -= more
        todo = [value]
        while todo and self._left >= 0:
            current = todo.pop()
            self._left -= 1
            if isinstance(current, str):
                self._left -= len(current) // CHARACTERS
            elif isinstance(current, dict):
                todo += current.values()
            elif isinstance(current, list):
                if len(current) > self._left:
                    self._left = -1
                else:
                    todo += current
        if self._left < 0:
            short = self._source if len(self._source) <= 100 else f"{self._source[:100]}…"
            raise ExpressionError(
                f"${{{short}}} is too much work for an expression; do this in a step's code"
            )


Evaluate = Callable[[Mapping[str, Any], Work], Any]
