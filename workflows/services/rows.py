"""Many rows in one statement, without the ORM's cost per row: the engine's way to the tables.

`RowWriter` speaks SQLite's and PostgreSQL's common dialect (`ON CONFLICT … DO UPDATE`) and adapts values as
Django's fields do: UUIDs, times, JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

from django.db import connection, models

from aflow_site.kernel.json import text_holds_nul, to_json

_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def json_text(value: Any) -> str:
    """JSON for a column. Whatever a step returned can be stored: a NUL character and halves of surrogate
    pairs, which PostgreSQL refuses, become U+FFFD; whole numbers of any size stay as they are."""
    text = to_json(value).decode()
    return _NUL.sub(r"\1\\ufffd", text) if "\\u0000" in text else text


def holds_nul(value: Any) -> bool:
    """Whether a text in the JSON value has a NUL character, which PostgreSQL refuses."""
    return text_holds_nul(to_json(value))


def storable(value: Any) -> Any:
    """The JSON value as it will be read back."""
    return json.loads(json_text(value))


def plain_text(value: str) -> str:
    return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _column_field(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    field = model._meta.get_field(name)
    assert isinstance(field, models.Field), f"{name} is no column of {model.__name__}"
    return field


class RowWriter:
    """Writes `columns` of `model`, in that order; `key` columns tell which row."""

    def __init__(self, model: type[models.Model], columns: Sequence[str], key: Sequence[str]) -> None:
        fields = [_column_field(model, name) for name in columns]
        self._fields = fields
        names = [f'"{field.column}"' for field in fields]
        keys = [f'"{_column_field(model, name).column}"' for name in key]
        table = f'"{model._meta.db_table}"'
        marks = ", ".join(["%s"] * len(names))
        changed = [name for name in names if name not in keys]
        self._insert = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"
        self._upsert = f"{self._insert} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET " + ", ".join(
            f"{name} = excluded.{name}" for name in changed
        )
        self._update = (
            f"UPDATE {table} SET {', '.join(f'{name} = %s' for name in changed)} "
            f"WHERE {' AND '.join(f'{name} = %s' for name in keys)}"
        )
        key_places = [list(columns).index(name) for name in key]
        self._update_order = [i for i in range(len(columns)) if i not in key_places] + key_places

    @cached_property
    def _adapters(self) -> list[Callable[[Any], Any]]:
        return [_adapter(field) for field in self._fields]

    def _adapt(self, rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
        adapters = self._adapters
        return [
            [None if value is None else adapt(value) for adapt, value in zip(adapters, row, strict=True)]
            for row in rows
        ]

    def insert(self, rows: Iterable[Sequence[Any]]) -> None:
        self._execute(self._insert, self._adapt(rows))

    def upsert(self, rows: Iterable[Sequence[Any]]) -> None:
        self._execute(self._upsert, self._adapt(rows))

    def update(self, rows: Iterable[Sequence[Any]]) -> None:
        order = self._update_order
        self._execute(self._update, [[row[i] for i in order] for row in self._adapt(rows)])

    def _execute(self, sql: str, rows: list[list[Any]]) -> None:
        if not rows:
            return
        with connection.cursor() as cursor:
            if len(rows) == 1:
                cursor.execute(sql, rows[0])
            else:
                cursor.executemany(sql, rows)


def _adapter(field: Any) -> Callable[[Any], Any]:
    if isinstance(field, models.ForeignKey):
        field = field.target_field
    if isinstance(field, models.DateTimeField):
        return connection.ops.adapt_datetimefield_value
    if isinstance(field, models.UUIDField):
        native = connection.features.has_native_uuid_field
        return (lambda value: value) if native else (lambda value: value.hex)
    if isinstance(field, models.JSONField):
        return json_text
    if isinstance(field, models.TextField):
        return plain_text
    return lambda value: value
