"""The results of a map in the order in which they come, for a reduce that starts with it.

Only their places are held here; the results themselves are read from the rows, a page at a time.
"""

from __future__ import annotations

import asyncio
from array import array

from workflows.engine.records import StepRecord


class Feed:
    """`order` are the indexes of the completed items. A reader keeps its own place in it."""

    def __init__(self, source: StepRecord) -> None:
        self.source = source
        self.order = array("q")
        self.loaded = False
        self._news = asyncio.Event()

    def load(self, indexes: list[int]) -> None:
        """What had completed before this driver took the map up."""
        if not self.loaded:
            known = set(self.order)
            self.order[:0] = array("q", (index for index in indexes if index not in known))
            self.loaded = True
            self.tell()

    def add(self, index: int) -> None:
        self.order.append(index)
        self.tell()

    def tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def wait(self) -> None:
        """Until there is another result, or the map has ended."""
        await self._news.wait()
