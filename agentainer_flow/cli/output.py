"""What the commands print: JSON for programs, tables and lines for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


class Output:
    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def value(self, value: Any) -> None:
        """A JSON value, for both."""
        print(json.dumps(value, indent=2, ensure_ascii=False))

    def line(self, text: str) -> None:
        """For people only."""
        if not self.as_json:
            print(text)

    def done(self, text: str) -> None:
        """What the platform answers with nothing: a sentence, or null."""
        if self.as_json:
            self.value(None)
        self.line(text)

    def next(self, value: Any, text: str) -> None:
        """One of many that come by and by: a line of JSON, or of text. Whoever reads along has it at once."""
        print(json.dumps(value, ensure_ascii=False) if self.as_json else text, flush=True)

    def rows(self, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], empty: str) -> None:
        """`columns`: heading -> key, dotted for what is inside (`states.idle`). `empty`: for no rows."""
        if self.as_json:
            self.value(list(rows))
        elif not rows:
            print(empty)
        else:
            _table(rows, columns)

    def fields(self, value: Mapping[str, Any], names: Mapping[str, str]) -> None:
        """One object: label -> key."""
        if self.as_json:
            self.value(value)
            return
        width = max(len(label) for label in names)
        for label, key in names.items():
            found = _at(value, key)
            if found is not None:
                print(f"{label:<{width}}  {_shown(found)}")


def _table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    lines = [list(columns)]
    numeric = [all(isinstance(_at(row, key), int | float | None) for row in rows) for key in columns.values()]
    lines += [[_shown(_at(row, key)) for key in columns.values()] for row in rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        cells = [
            f"{cell:>{width}}" if right else f"{cell:<{width}}"
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        print("  ".join(cells).rstrip())


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
