"""The sources of code steps that the agent was sent lately, by their hash."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from agentainer_flow.agent.calls import BadCall

KEPT = 64
BYTES_KEPT = 32 * 1024 * 1024


class Sources:
    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()  # the one used last comes last

    def __contains__(self, code: object) -> bool:
        return code in self._kept

    def keep(self, code: str, source: bytes) -> None:
        """The oldest make room. Raises BadCall where the source has another hash."""
        if hashlib.sha256(source).hexdigest() != code:
            raise BadCall('"source" does not have the sha256 in "runs.code".')
        self._kept[code] = source
        self._kept.move_to_end(code)
        size = sum(map(len, self._kept.values()))
        while len(self._kept) > KEPT or (size > BYTES_KEPT and len(self._kept) > 1):
            _, gone = self._kept.popitem(last=False)
            size -= len(gone)

    def use(self, code: str) -> bytes | None:
        """None when it is not kept (any more)."""
        if code in self._kept:
            self._kept.move_to_end(code)
        return self._kept.get(code)

    def clear(self) -> None:
        self._kept.clear()
