"""The items of a source, one after the other: never more than a line of it is held.

| format | of files called | an item is |
| --- | --- | --- |
| `jsonl` | .jsonl, .ndjson | what a line says; empty ones are passed over |
| `csv`, `tsv` | .csv, .tsv | a row, by the names of the first one; all values are texts |
| `json` | .json | an element of the list that the file is (64 MiB at most, held as a whole) |
| `text` | anything else | a line without its end |

A directory's items are its files. Files compressed by gzip, bzip2 or xz are unpacked on the way.
"""

from __future__ import annotations

import csv
import json
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import IO, Any, NoReturn
from urllib.parse import urlsplit

from agentainer_flow.sources.opening import SourceError, files_in, opened

LONGEST = 900 * 1024  # bytes of a line, and of an item's JSON
MOST_JSON = 64 * 1024 * 1024  # bytes of a file of JSON
_SUFFIXES = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".json": "json",
}  # fmt: skip
_PACKED = (".gz", ".bz2", ".xz")
FORMATS = ("jsonl", "csv", "tsv", "json", "text")


def read_items(
    source: str,
    *,
    format: str | None = None,  # noqa: A002 - the document's word
    options: Mapping[str, Any] | None = None,
    root: Path | None = None,
) -> Iterator[Any]:
    """JSON values. `format`: one of FORMATS; left out, what the name's ending says. `options`: of fsspec's
    file system, or {"headers": {…}} of HTTP. `root`: where relative paths begin.

    Raises SourceError, with the line where there is one.
    """
    given = dict(options or {})
    files = files_in(source, given, root)
    if files is not None:
        yield from files
        return
    read = _READERS[format or format_of(source)]
    with opened(source, given, root) as file:
        yield from read(source, file)


def format_of(source: str) -> str:
    path = PurePosixPath(urlsplit(source).path if "://" in source else source)
    suffix = path.suffix.lower()
    if suffix in _PACKED:
        suffix = path.with_suffix("").suffix.lower()
    return _SUFFIXES.get(suffix, "text")


# --- lines ------------------------------------------------------------------------------------------------


def _lines(source: str, file: IO[bytes]) -> Iterator[tuple[int, str]]:
    """Each with its number, from 1, and its end."""
    number = 0
    while True:
        number += 1
        line = _next(source, file, number)
        if not line:
            return
        if len(line) > LONGEST:
            raise SourceError(
                source, f"the line is longer than {LONGEST // 1024} KiB, the most of an item.", number
            )
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise SourceError(source, "this is not UTF-8; is it a file of text?", number) from None
        if "\0" in text:
            raise SourceError(source, "there is a NUL character; is it a file of text?", number)
        yield number, text


def _next(source: str, file: IO[bytes], number: int) -> bytes:
    try:
        return file.readline(LONGEST + 1)
    except (EOFError, zlib.error, lzma.LZMAError) as exc:
        raise SourceError(source, f"it cannot be unpacked any further: {exc}.", number) from None
    except (OSError, HTTPException) as exc:
        raise SourceError(source, f"reading it broke off: {exc}.", number) from None


def _text(source: str, file: IO[bytes]) -> Iterator[str]:
    for _, line in _lines(source, file):
        yield line.rstrip("\r\n")


def _jsonl(source: str, file: IO[bytes]) -> Iterator[Any]:
    for number, line in _lines(source, file):
        if line.strip():
            yield _json(source, line, number)


def _json(source: str, text: str, number: int | None) -> Any:
    def no_number(word: str) -> NoReturn:
        raise SourceError(source, f"{word} is no number that JSON has.", number)

    try:
        value = json.loads(text, parse_constant=no_number)
    except json.JSONDecodeError as exc:
        line = exc.lineno if number is None else number
        raise SourceError(source, f"this is not JSON: {exc.msg} (column {exc.colno}).", line) from None
    except RecursionError:
        raise SourceError(source, "this is nested too deeply.", number) from None
    if "\\u0000" in text and "\0" in json.dumps(value, ensure_ascii=False).replace("\\u0000", "\0"):
        raise SourceError(source, "there is a NUL character, which cannot be kept.", number)
    return value


def _whole_json(source: str, file: IO[bytes]) -> Iterator[Any]:
    content = file.read(MOST_JSON + 1)
    if len(content) > MOST_JSON:
        raise SourceError(
            source, f"a file of JSON may have {MOST_JSON // 1024**2} MiB; write it as JSON Lines."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SourceError(source, "this is not UTF-8; is it a file of text?") from None
    value = _json(source, text, None)
    if not isinstance(value, list):
        raise SourceError(source, f"a file of JSON must be a list; this is {type(value).__name__}.")
    yield from value


def _rows(delimiter: str) -> Callable[[str, IO[bytes]], Iterator[dict[str, str]]]:
    def read(source: str, file: IO[bytes]) -> Iterator[dict[str, str]]:
        rows = csv.reader((line for _, line in _lines(source, file)), delimiter=delimiter, strict=True)
        names: list[str] | None = None
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as exc:
                raise SourceError(source, f"this is no row of CSV: {exc}.", rows.line_num) from None
            if not row:
                continue
            if names is None:
                names = _names(source, row, rows.line_num)
            elif len(row) != len(names):
                found = f"{len(row)} value" + ("s" if len(row) != 1 else "")
                raise SourceError(source, f"the row has {found} for {len(names)} columns.", rows.line_num)
            else:
                yield dict(zip(names, row, strict=True))

    return read


def _names(source: str, row: list[str], number: int) -> list[str]:
    twice = next((name for name in row if row.count(name) > 1), None)
    if twice is not None:
        raise SourceError(source, f"two columns are called {twice!r}.", number)
    return row


_READERS: dict[str, Callable[[str, IO[bytes]], Iterator[Any]]] = {
    "jsonl": _jsonl,
    "csv": _rows(","),
    "tsv": _rows("\t"),
    "json": _whole_json,
    "text": _text,
}
