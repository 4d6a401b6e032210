"""A listener with a run's state, for tests of what bodies say and ask."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aflow_site.kernel.errors import InvalidInput, NotFound
from pools.facade.contracts import LogLine


class FakeListener:
    """`heard` lists what was told, in its order, and `asked` the calls. `state` is the run's.

    To get the key "wait" ends when `gate` is set; to get "meet" when `crowd` calls are open at once.
    `results` is how many "results.next" gives, in pages of `page`.
    """

    def __init__(self, *, crowd: int = 1, results: int = 0, page: int = 100) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self.asked: list[tuple[str, Mapping[str, Any], int]] = []
        self.state: dict[str, Any] = {}
        self.gate = asyncio.Event()
        self.open = 0
        self.cancelled = 0
        self._crowd = crowd
        self._met = asyncio.Event()
        self._results = list(range(results))
        self._page = page

    def log(self, line: LogLine) -> None:
        self.heard.append(("log", line.text, line.item))

    def progress(self, value: Any, item: int) -> None:
        self.heard.append(("progress", value, item))

    def metric(self, name: str, value: float, item: int) -> None:
        self.heard.append(("metric", name, value, item))

    async def call(self, op: str, args: Mapping[str, Any], item: int) -> Any:
        self.asked.append((op, args, item))
        self.open += 1
        try:
            return await self._answer(op, args)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.open -= 1

    async def _answer(self, op: str, args: Mapping[str, Any]) -> Any:
        match op:
            case "state.increment":
                self.state[args["key"]] = self.state.get(args["key"], 0) + args["by"]
                return self.state[args["key"]]
            case "state.get" if args["key"] == "wait":
                await self.gate.wait()
                return "waited"
            case "state.get" if args["key"] == "meet":
                if self.open >= self._crowd:
                    self._met.set()
                await self._met.wait()
                return "met"
            case "state.get":
                return self.state.get(args["key"], args["default"])
            case "state.set" if args["key"] == "bad":
                raise InvalidInput("The key is bad.")
            case "state.set":
                self.state[args["key"]] = args["value"]
                return None
            case "state.all":
                raise RuntimeError("a fault of the platform")
            case "results.next":
                start = args["after"]
                stop = min(start + self._page, len(self._results))
                return {
                    "results": self._results[start:stop],
                    "cursor": stop,
                    "done": stop == len(self._results),
                }
        raise NotFound(f"There is no {op}.")
