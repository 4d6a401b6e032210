"""The results of the step before, page by page as the executor has them, instead of one list."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections import deque
from collections.abc import Callable
from typing import Any

PAGE = 100
SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 1.0  # seconds, after pages with nothing in them

Call = Callable[[str, dict[str, Any]], Any]  # op, args -> result, or something to await where a loop runs


class ResultStream:
    """An iterator, and an async iterator, over results; once through.

    Each page is one call `results.next` with {"after": cursor, "max": 100}, answered by {"results": […],
    "cursor": n, "done": bool}. The first cursor is 0. Nothing is fetched ahead, and one page is held. An
    executor best waits until it has something; after an empty page a moment passes before the next call.
    Iterating raises what `call` raises. Not for several threads or tasks at once.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._page: deque[Any] = deque()
        self._cursor: Any = 0
        self._done = False
        self._pause = 0.0

    def __iter__(self) -> ResultStream:
        return self

    def __next__(self) -> Any:
        while not self._page:
            if self._done:
                raise StopIteration
            if self._pause:
                time.sleep(self._pause)
            page = self._next_page()
            if inspect.isawaitable(page):
                _discard(page)
                raise TypeError("An event loop runs here: take the results by `async for`.")
            self._keep(page)
        return self._page.popleft()

    def __aiter__(self) -> ResultStream:
        return self

    async def __anext__(self) -> Any:
        while not self._page:
            if self._done:
                raise StopAsyncIteration
            if self._pause:
                await asyncio.sleep(self._pause)
            page = self._next_page()
            self._keep(await page if inspect.isawaitable(page) else page)
        return self._page.popleft()

    def _next_page(self) -> Any:
        return self._call("results.next", {"after": self._cursor, "max": PAGE})

    def _keep(self, page: Any) -> None:
        if not isinstance(page, dict) or not isinstance(page.get("results"), list):
            raise ValueError("The reply to results.next is no page of results.")
        self._page.extend(page["results"])
        self._cursor = page.get("cursor", self._cursor)
        self._done = bool(page.get("done"))
        longer = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, self._pause * 2))
        self._pause = 0.0 if self._page else longer


def _discard(page: Any) -> None:
    if inspect.iscoroutine(page):
        page.close()  # or Python warns that nobody awaited it
