"""Agents of images that a test stands in for: answers, failures and delays, in the order they were told."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import partial
from types import TracebackType
from typing import Any

from agentainer_flow.errors import DefinitionError
from agentainer_flow.local.clock import seconds
from agentainer_flow.sdk.options import json_value

_active: list[MockAgent] = []  # the innermost last
_scopes: list[list[MockAgent]] = []  # of test cases, whose mocks need no `with`


@dataclass(frozen=True, slots=True)
class AgentCall:
    """What an agent was asked. `agent`: its name or image."""

    agent: str
    input: Any
    step_id: str = ""
    item_index: int | None = None
    attempt: int = 1


class AgentFailure(Exception):
    """The error that a mock answers with. `kind` is its type."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(slots=True)
class _Answer:
    give: Callable[[AgentCall], Any]
    times: int | None  # None: for ever
    delay: float = 0.0


class MockAgent:
    """Made by `mock_agent`. Its methods return it, so that they can be chained.

    `calls` lists what it was asked.
    """

    def __init__(self, pattern: str) -> None:
        if not isinstance(pattern, str) or not pattern.strip():
            raise DefinitionError(f"mock_agent takes an image or an agent's name, not {pattern!r}.")
        self.pattern = pattern
        self.calls: list[AgentCall] = []
        self._answers: deque[_Answer] = deque()
        self._delay = 0.0

    # --- what it does ----------------------------------------------------------------------------

    def returns(self, *outputs: Any, times: int | None = None) -> MockAgent:
        """Of several outputs each once, the last one ever after (or `times` times)."""
        if not outputs:
            outputs = (None,)
        for place, output in enumerate(outputs):
            last = place + 1 == len(outputs)
            json_value(f"mock_agent({self.pattern!r})", "what it returns", output)  # not at the first call
            self._add(partial(_given, output), times if last else 1)
        return self

    def raises(self, error: BaseException | type[BaseException], times: int | None = None) -> MockAgent:
        """Answers with an error of the exception's type, as an agent's body would that raises it."""
        kind = error.__qualname__ if isinstance(error, type) else type(error).__qualname__
        return self.fails(kind, "" if isinstance(error, type) else str(error), times=times)

    def fails(self, kind: str = "error", message: str = "", times: int | None = None) -> MockAgent:
        """Answers with an error of the type `kind`, such as "timeout"."""

        def give(call: AgentCall) -> Any:
            raise AgentFailure(kind, message or f"{call.agent} fails, as its mock was told.")

        return self._add(give, times)

    def does(self, function: Callable[[Any], Any], times: int | None = None) -> MockAgent:
        """Answers with what the function gives for the input; what it raises is the error."""
        return self._add(lambda call: function(call.input), times)

    def delays(self, duration: float | str | timedelta) -> MockAgent:
        """Its answers take this long, on the run's clock: those that are told after this."""
        self._delay = seconds(duration)
        return self

    def _add(self, give: Callable[[AgentCall], Any], times: int | None) -> MockAgent:
        if self._answers and self._answers[-1].times is None:
            self._answers[-1].times = 1  # it was not the last one after all
        if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
            raise DefinitionError(f"mock_agent({self.pattern!r}): times is 1 or more, not {times!r}.")
        self._answers.append(_Answer(give, times, self._delay))
        return self

    # --- while it is asked -----------------------------------------------------------------------

    def matches(self, *names: str | None) -> bool:
        """Names with or without their tag; `*`, `?` and `[…]` as in file names."""
        known = [name for name in names if name]
        known += [name.rpartition(":")[0] for name in known if ":" in name.rpartition("/")[2]]
        return any(fnmatchcase(name, self.pattern) for name in known)

    def next(self, call: AgentCall) -> tuple[float, Callable[[], Any]]:
        """Seconds that the answer takes, and what gives it (or raises)."""
        self.calls.append(call)
        if not self._answers:
            raise AgentFailure(
                "no_agent",
                f"mock_agent({self.pattern!r}) was not told what to answer; add .returns(…).",
            )
        answer = self._answers[0]
        if answer.times is not None:
            answer.times -= 1
            if answer.times == 0 and len(self._answers) > 1:
                self._answers.popleft()
            elif answer.times == 0:
                self._answers[0] = _Answer(_spent, None)
        return answer.delay, lambda: answer.give(call)

    def assert_called(self) -> None:
        assert self.calls, f"The agent {self.pattern} was never asked."

    def assert_called_times(self, times: int) -> None:
        assert len(self.calls) == times, (
            f"The agent {self.pattern} was asked {len(self.calls)} times, not {times}."
        )

    def assert_called_with(self, value: Any) -> None:
        """That one of the calls had this input."""
        asked = [call.input for call in self.calls]
        assert value in asked, f"The agent {self.pattern} was asked {asked!r}, never {value!r}."

    # --- when it is there ------------------------------------------------------------------------

    def __enter__(self) -> MockAgent:
        _active.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        _active.remove(self)

    def __repr__(self) -> str:
        return f"mock_agent({self.pattern!r})"


def _given(output: Any, _call: AgentCall) -> Any:
    return output


def _spent(call: AgentCall) -> Any:
    raise AgentFailure("no_agent", f"{call.agent} was asked more often than its mock was told answers for.")


def mock_agent(pattern: str) -> MockAgent:
    """Stands in for the agents of an image, or for a deployed agent by its name, in local runs.

    `pattern`: "processor:latest", "processor" (any tag), "team/*". It answers while its `with` block runs, in
    a run that is given it (`agents=[…]`), and in a `WorkflowTestCase` until the end of the test. Of several
    that match, the one told last answers.

        with mock_agent("fetcher").returns({"rows": 3}) as fetcher:
            run_workflow_locally(Report)
        fetcher.assert_called_times(1)
    """
    made = MockAgent(pattern)
    if _scopes:
        _scopes[-1].append(made)
    return made


@contextlib.contextmanager
def scope() -> Iterator[None]:
    """Mocks that are made inside are there until its end."""
    _scopes.append([])
    try:
        yield
    finally:
        _scopes.pop()


def present(own: Iterable[MockAgent] = ()) -> Sequence[MockAgent]:
    """All that are there now, those that count first at the front. `own`: a run's."""
    scoped = [mock for mocks in _scopes for mock in mocks]
    ordered = list(reversed([*scoped, *_active, *own]))
    return [mock for place, mock in enumerate(ordered) if mock not in ordered[:place]]


def find(mocks: Iterable[MockAgent], *names: str | None) -> MockAgent | None:
    return next((mock for mock in mocks if mock.matches(*names)), None)
