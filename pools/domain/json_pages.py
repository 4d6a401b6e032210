"""A JSON object in a file, member by member, each value as `to_json` writes it: lists a page at a time.

A page of a list is a JSON text of its own once brackets stand around it. So the parser that reads small texts
reads this one too, takes what it takes and refuses what it refuses; all that is done here is to find where
elements end. Does not: read what has to be seen as a whole, such as a key that is there twice or one huge
element.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

from aflow_site.kernel.json import from_json, to_json

READ_AT_ONCE = 16 * 1024  # bytes; about a page, whose values may take twenty times as much
MOST_HELD = 1024 * 1024  # bytes of one element, key or plain value

_SPACE = re.compile(rb"[ \t\n\r]*")
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*("?)'  # the group is empty where its end is not there yet
_AT_STRING = re.compile(_STRING, re.DOTALL)
# Objects of plain values, gone over at once, are most of the time of long lists.
_FLAT_OBJECT = rb'\{[^"{}\[\]]*(?:"[^"\\]*"[^"{}\[\]]*)*\}'
_NEXT = re.compile(_FLAT_OBJECT + rb"|" + _STRING + rb"|([\[\]{},])", re.DOTALL)
_AFTER_PLAIN = re.compile(rb"[,\]}]")


class NotInPages(ValueError):
    """The text cannot be read this way, or is no JSON object; reading it as a whole tells which."""


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


def members(file: Readable) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Each key with its value's text in parts, which are to be gone through before the next key is asked for.
    No part ends inside a string. Raises `NotInPages`, maybe after some members, and RecursionError."""
    text = _Text(file)
    for key, parts in text.members(1):
        yield from_json(key), parts
    if text.ahead():
        raise NotInPages("more than one value")


class _Text:
    """The file from some place on: `_held` from `_at` on, and then what was not read yet."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._held = b""
        self._at = 0

    def ahead(self) -> bytes:
        """The next byte that is no space; none at the end."""
        while True:
            space = _SPACE.match(self._held, self._at)
            assert space is not None
            self._at = space.end()
            if self._at < len(self._held):
                return self._held[self._at : self._at + 1]
            if not self._read_on():
                return b""

    def members(self, depth: int) -> Iterator[tuple[bytes, Iterator[bytes]]]:
        """Of the object that begins here, `depth` values deep: texts of keys, parts of values."""
        self._take(b"{")
        if self.ahead() == b"}":
            self._take(b"}")
            return
        seen: set[bytes] = set()
        while True:
            key = _plain(self._string(), depth)
            if key in seen:
                raise NotInPages("a key is there twice, and the last one counts")
            seen.add(key)
            self._take(b":")
            yield key, self._value(depth)
            if self.ahead() == b"}":
                self._take(b"}")
                return
            self._take(b",")
            self.ahead()

    def _value(self, depth: int) -> Iterator[bytes]:
        first = self.ahead()
        if first == b"[":
            yield from self._list(depth + 1)
        elif first == b"{":
            before = b"{"
            for key, parts in self.members(depth + 1):
                yield before + key + b":"
                yield from parts
                before = b","
            yield b"{}" if before == b"{" else b"}"
        else:
            yield _plain(self._string() if first == b'"' else self._until_mark(), depth)

    def _list(self, depth: int) -> Iterator[bytes]:
        self._take(b"[")
        before, is_last = b"[", False
        while not is_last:
            page, is_last = self._page()
            elements = _rewritten(page, depth)
            if elements:
                yield before + elements
                before = b","
            elif not is_last or before == b",":
                raise NotInPages("a comma without an element")
        yield b"[]" if before == b"[" else b"]"

    def _page(self) -> tuple[bytes, bool]:
        """Elements of the list that we are in, without the comma after them, and whether it ends there."""
        self._held, self._at = self._held[self._at :], 0
        depth = looked = 0
        cut = -1
        while True:
            start, looked = looked, len(self._held)
            for found in _NEXT.finditer(self._held, start):
                string_end, mark = found.groups()
                if string_end == b"":
                    looked = found.start()
                    break
                if mark is None:
                    continue
                if mark == b",":
                    cut = cut if depth else found.start()
                elif mark in b"[{":
                    depth += 1
                elif depth:
                    depth -= 1
                else:
                    self._at = found.start()
                    self._take(b"]")
                    return self._held[: found.start()], True
            if cut >= 0:
                self._at = cut + 1
                return self._held[:cut], False
            if not self._read_on():
                raise NotInPages("a list without its end")

    def _string(self) -> bytes:
        while True:
            found = _AT_STRING.match(self._held, self._at)
            if found is not None and found[1]:
                self._at = found.end()
                return found[0]
            if found is None and self._at < len(self._held):
                raise NotInPages("no string where one should be")
            if not self._read_on():
                raise NotInPages("a string without its end")

    def _until_mark(self) -> bytes:
        """A number, true, false or null, if it is JSON."""
        while True:
            found = _AFTER_PLAIN.search(self._held, self._at)
            if found is not None:
                text = self._held[self._at : found.start()]
                self._at = found.start()
                return text
            if not self._read_on():
                raise NotInPages("an object without its end")

    def _take(self, mark: bytes) -> None:
        if self.ahead() != mark:
            raise NotInPages(f"no {mark.decode()} where one should be")
        self._at += 1

    def _read_on(self) -> bool:
        """Holds more of the file; False at its end."""
        block = self._file.read(READ_AT_ONCE)
        self._held, self._at = self._held[self._at :] + block, 0
        if len(self._held) > MOST_HELD:
            raise NotInPages("one element is large by itself")
        return bool(block)


def _rewritten(elements: bytes, depth: int) -> bytes:
    """Elements as `to_json` writes them. They are read as deep as they stand: how deep a value may go is for
    the parser to say."""
    try:
        return to_json(from_json(b"[" * depth + elements + b"]" * depth))[depth:-depth]
    except (ValueError, RecursionError) as exc:
        raise NotInPages(str(exc)) from exc


def _plain(text: bytes, depth: int) -> bytes:
    """One value that is no list and no object."""
    written = _rewritten(text, depth)
    if not written:
        raise NotInPages("no value where one should be")
    return written
