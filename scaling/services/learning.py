"""The process in which forecasters learn: apart from the controller, whose memory stays small, and whose
evaluations wait for nobody.

It is started when the first pool asks for it, loads scikit-learn, holds the models, and ends when none asks
any more, or with its parent. Its death costs the models, which are fitted anew.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as OutOfTime
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np

from scaling.domain.forecasting.history import History, Series
from scaling.domain.forecasting.learned import Learned, NotInstalled

log = logging.getLogger(__name__)

PATIENCE = 120.0  # seconds; a fit of two weeks takes about two on an idle machine
NICENESS = 10
AWAY = "the process that learns did not answer"


class Apprentice:
    """The process. Calls come from one thread."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def ask(self, work: Callable[..., Any], *given: Any) -> Any:
        """Raises NotInstalled, ConnectionError when the process died or is too slow (it is started anew)."""
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_begin)
        try:
            return self._pool.submit(work, *given).result(PATIENCE)
        except (BrokenProcessPool, OutOfTime) as exc:
            self.close()
            raise ConnectionError(AWAY) from exc

    def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            processes = list((pool._processes or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()


class Remote:
    """The learned forecaster of one pool, which learns in the apprentice's process."""

    name = Learned.name

    def __init__(self, key: str, apprentice: Apprentice) -> None:
        self._key, self._apprentice = key, apprentice
        self.problem = ""

    def fit(self, past: History, horizon: int) -> bool:
        return bool(self._ask(False, _fit, self._key, past, horizon))

    def guess(self, past: History, since: int, horizon: int) -> Series:
        nothing = np.full(len(past) + 1 - since, np.nan)
        found = self._ask(nothing, _guess, self._key, past, since, horizon)
        if found is None:  # the process was started anew
            self.fit(past, horizon)
            found = self._ask(nothing, _guess, self._key, past, since, horizon)
        return nothing if found is None else found

    def _ask(self, otherwise: Any, work: Callable[..., Any], *given: Any) -> Any:
        try:
            found = self._apprentice.ask(work, *given)
        except NotInstalled as exc:
            self.problem = str(exc)
        except ConnectionError as exc:
            log.warning("forecasts of pool %s: %s", self._key, exc)
            self.problem = str(exc)
        else:
            self.problem = ""
            return found
        return otherwise


# --- in the process itself --------------------------------------------------------------------------------

_models: dict[str, Learned] = {}


def _begin() -> None:
    os.nice(NICENESS)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)


def _fit(key: str, past: History, horizon: int) -> bool:
    return _models.setdefault(key, Learned()).fit(past, horizon)


def _guess(key: str, past: History, since: int, horizon: int) -> Series | None:
    model = _models.get(key)
    return None if model is None else model.guess(past, since, horizon)
