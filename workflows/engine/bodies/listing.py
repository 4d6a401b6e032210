"""The list of a map, laid by: a page of it is in memory at a time, the rest lies in a temporary file."""

from __future__ import annotations

import json
import logging
import tempfile
import weakref
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import IO, Any

from aflow_site.kernel.json import to_json

log = logging.getLogger(__name__)

PAGE = 1000  # elements
PAGE_BYTES = 1024 * 1024  # about; one element may be larger


class Listing:
    """JSON values by their place. `elements` can be gone over again; a list of up to a page stays as it is.

    A map over 100,000 elements may run for hours; its elements are needed once each, in their order.
    """

    def __init__(self, elements: Iterable[Any] = ()) -> None:
        self._first = 0  # the place of the page's first element
        self._starts: list[int] = [0]  # of each page, its first place
        self._offsets: list[int] = [0]  # and where it begins in the file
        self._file: IO[bytes] | None = None
        self._page: Sequence[Any] = ()
        rest = iter(elements)
        values, is_all = _first_page(rest)
        if is_all or not self._lay_by(chain(values, rest)):
            self._page = values if is_all else list(elements)
            self._starts.append(len(self._page))
        self._length = self._starts[-1]

    def __len__(self) -> int:
        return self._length

    def read(self, start: int, count: int) -> list[Any]:
        """The elements from `start` on, up to `count` of them."""
        found: list[Any] = []
        stop = min(start + count, self._length)
        while start < stop:
            self._turn_to(start)
            part = self._page[start - self._first : stop - self._first]
            found += part
            start += len(part)
        return found

    def _lay_by(self, values: Iterable[Any]) -> bool:
        """False when there is no room for it."""
        starts, offsets = [0], [0]
        try:
            file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this object
            weakref.finalize(self, file.close)
            for count, page in _pages(values):
                offsets.append(offsets[-1] + file.write(page))
                starts.append(starts[-1] + count)
            file.flush()
        except OSError as exc:
            log.warning("a list stays in memory, for it cannot be laid by: %s", exc)
            return False
        self._file, self._starts, self._offsets = file, starts, offsets
        return True

    def _turn_to(self, place: int) -> None:
        if self._first <= place < self._first + len(self._page) or self._file is None:
            return
        number = bisect_right(self._starts, place) - 1
        self._file.seek(self._offsets[number])
        content = self._file.read(self._offsets[number + 1] - self._offsets[number])
        self._page, self._first = json.loads(content), self._starts[number]


def _first_page(elements: Iterator[Any]) -> tuple[list[Any], bool]:
    """Elements that fill a page, or all of them and True."""
    values: list[Any] = []
    size = 0
    for value in elements:
        values.append(value)
        size += len(to_json(value))
        if len(values) > PAGE or size > PAGE_BYTES:
            return values, False
    return values, True


def _pages(values: Iterable[Any]) -> Iterator[tuple[int, bytes]]:
    """How many elements, and their list as JSON."""
    page, count = bytearray(b"["), 0
    for value in values:
        # Added at once: while it is kept, a text of the writer takes 4 KiB, however short it is.
        page += to_json(value) + b","
        count += 1
        if count == PAGE or len(page) > PAGE_BYTES:
            yield count, bytes(page[:-1]) + b"]"
            page, count = bytearray(b"["), 0
    if count:
        yield count, bytes(page[:-1]) + b"]"
