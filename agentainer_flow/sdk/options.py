"""The values that `@workflow` and `@step` take, checked where they are written."""

from __future__ import annotations

import inspect
import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from enum import Enum
from typing import Any, Literal, TypedDict, get_args

from agentainer_flow.errors import DefinitionError, NotSupportedError
from agentainer_flow.hiring import cpus, memory_bytes

Duration = str | int | float | timedelta
Condition = str | bool
Backoff = Literal["constant", "linear", "exponential"]
_LONGEST = sys.float_info.max
_DURATION = re.compile(r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d)?\s*$")


class ExecutionMode(Enum):
    """Whether `WorkflowClient.run` waits for the end of the run (SYNC) or returns at once (ASYNC)."""

    SYNC = "sync"
    ASYNC = "async"


class ErrorHandler(Enum):
    """What a parallel step does when one of its items has failed for good."""

    FAIL_FAST = "fail_fast"
    CONTINUE = "continue"
    CONTINUE_ON_PARTIAL = "continue_on_partial"


class PoolConfig(TypedDict, total=False):
    """The pool of a step. `size` sets both bounds; `max_agent_uses` is another word for `max_uses`."""

    mode: Literal["pooled", "standard"]
    size: int
    min_size: int
    max_size: int
    warm_up: bool
    max_uses: int
    max_agent_uses: int
    idle_timeout: Duration
    capacity_type: Literal["any", "on_demand", "spot"]
    zone: str


class Resources(TypedDict, total=False):
    """Of each agent: CPUs, such as 0.5 or "500m"; memory in bytes, or such as "512M"; processes."""

    cpu: float | str
    memory: int | str
    pids: int


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a failing attempt is made again, and the wait before each new one.

    Durations: "1s", or seconds. `retry_on`: exceptions that are worth another attempt, as classes or by the
    type that errors tell (such as "TimeoutError", or "timeout"); left out, all are. Raises DefinitionError
    for values that make no sense.
    """

    max_attempts: int = 3
    backoff: Backoff = "exponential"
    delay: Duration = 1.0
    max_delay: Duration = 30.0
    jitter: bool = True
    retry_on: Sequence[str | type[BaseException]] | None = None

    def __post_init__(self) -> None:
        whole("RetryPolicy", "max_attempts", self.max_attempts, low=1, high=100)
        choice("RetryPolicy", "backoff", self.backoff, get_args(Backoff))
        for name in ("delay", "max_delay"):
            duration("RetryPolicy", name, getattr(self, name))
        self._types()

    def _types(self) -> list[str]:
        """The names of `retry_on`."""
        given = self.retry_on or ()
        many = [given] if isinstance(given, str | type) else given
        if not isinstance(many, Iterable):
            raise DefinitionError(f"RetryPolicy: retry_on takes exceptions, not {given!r}.")
        names = []
        for one in many:
            if isinstance(one, type) and issubclass(one, BaseException):
                names.append(one.__qualname__)  # as agents tell it
            elif isinstance(one, str) and one.strip():
                names.append(one)
            else:
                raise DefinitionError(f"RetryPolicy: retry_on takes exceptions or their names, not {one!r}.")
        return names

    def as_document(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "max_attempts": self.max_attempts,
            "backoff": self.backoff,
            "delay": duration("RetryPolicy", "delay", self.delay),
            "max_delay": duration("RetryPolicy", "max_delay", self.max_delay),
            "jitter": self.jitter,
        }
        if self.retry_on is not None:
            found["retry_on"] = self._types()
        return found


# --- checks: each takes where the value was written, and raises DefinitionError ---------------------------


def refuse_unknown(
    where: str, given: Iterable[str], known: Iterable[str], planned: Iterable[str] = ()
) -> None:
    """NotSupportedError for a documented argument of later versions, DefinitionError for any other."""
    planned = set(planned)
    for name in given:
        if name in planned:
            raise NotSupportedError(f"{where}: {name} is not supported by this version; leave it out.")
        near = get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]}?" if near else f". Known are: {', '.join(sorted(known))}."
        raise DefinitionError(f"{where} has no argument {name}{hint}")


def text(where: str, name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise DefinitionError(f"{where}: {name} must be text, not {value!r}.")
    return value


def command(where: str, name: str, value: object) -> str | list[str]:
    """A line for a shell, or a program and its arguments."""
    if isinstance(value, str):
        return textwrap.dedent(text(where, name, value)).strip()
    words = list(value) if isinstance(value, list | tuple) else []
    if not words or not words[0] or not all(isinstance(word, str) for word in words):
        raise DefinitionError(
            f'{where}: {name} is a line for a shell, such as "sort | uniq", or a list of a program and its'
            f' arguments, such as ["sort", "-u"]; not {value!r}.'
        )
    return words


def flag(where: str, name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise DefinitionError(f"{where}: {name} must be True or False, not {value!r}.")
    return value


def whole(where: str, name: str, value: object, *, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise DefinitionError(f"{where}: {name} must be a whole number from {low} to {high}, not {value!r}.")
    return value


def share(where: str, name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise DefinitionError(f"{where}: {name} must be a number from 0 to 1, not {value!r}.")
    return float(value)


def choice(where: str, name: str, value: object, allowed: Iterable[str]) -> str:
    allowed = list(allowed)
    if value not in allowed:
        near = get_close_matches(str(value), allowed, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise DefinitionError(f"{where}: {name} must be one of {', '.join(allowed)}, not {value!r}.{hint}")
    return str(value)


def duration(where: str, name: str, value: object) -> str | float:
    """The value as the document takes it."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, str) and _DURATION.match(value):
        return value.strip()
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LONGEST:
        return value
    raise DefinitionError(
        f'{where}: {name} must be a duration such as "90s", "10m" or a number of seconds, not {value!r}.'
    )


def timeout(where: str, name: str, value: object) -> str | float:
    """A duration in which something can run."""
    found = duration(where, name, value)
    if not float(re.sub(r"[^0-9.]", "", str(found)) or 1):
        raise DefinitionError(f"{where}: a {name} of 0 lets nothing run; leave it out or raise it.")
    return found


def condition(where: str, name: str, value: object) -> Condition:
    """One expression, with or without its ${}, as the document takes it; True and False too."""
    if isinstance(value, bool):
        return value
    return expression(where, name, value)


def expression(where: str, name: str, value: object) -> str:
    """As the document takes it: with ${} around it."""
    if not isinstance(value, str) or not value.strip():
        raise DefinitionError(f'{where}: {name} must be an expression such as "params.n > 3", not {value!r}.')
    inside = value.strip()
    given = inside.startswith("${") and inside.endswith("}")
    if given:
        inside = inside[2:-1].strip()
    if not inside or "${" in inside:
        raise DefinitionError(
            f"{where}: {name} is one expression, with a single ${{}} around it or none, not {value!r}."
        )
    return value.strip() if given else f"${{{inside}}}"


def json_value(where: str, name: str, value: Any) -> Any:
    """The value as JSON has it."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as exc:
        raise DefinitionError(f"{where}: {name} must be JSON; {value!r} is not: {exc}.") from None


def refuse_generator(where: str, body: object) -> None:
    """Of a body with `yield` nothing runs when it is called, and what it gives is no JSON."""
    if inspect.isgeneratorfunction(body) or inspect.isasyncgenfunction(body):
        raise DefinitionError(
            f"{where}: {getattr(body, '__name__', body)} has a yield in it, which makes a generator of it;"
            " collect the values, and return a list."
        )


def waits(where: str, mode: object) -> bool:
    """Whether that mode waits for a run's end."""
    if not isinstance(mode, ExecutionMode):
        raise DefinitionError(f"{where}: mode is ExecutionMode.SYNC or ExecutionMode.ASYNC, not {mode!r}.")
    return mode is ExecutionMode.SYNC


def params(where: str, given: object) -> dict[str, Any]:
    """Of a run, as JSON has them; none are none."""
    if given is not None and not isinstance(given, Mapping):
        raise DefinitionError(f"{where}: params is a dict, not {given!r}.")
    found: dict[str, Any] = json_value(where, "params", dict(given or {}))
    return found


def many(where: str, name: str, given: object) -> list[Any]:
    """A list, a tuple or another sequence; a text is one thing, not its letters."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise DefinitionError(f"{where}: {name} is a list, not {given!r}.")
    found: list[Any] = json_value(where, name, list(given))
    return found


def retry(where: str, value: object) -> RetryPolicy:
    if not isinstance(value, RetryPolicy):
        raise DefinitionError(f"{where}: retry_policy must be a RetryPolicy(…), not {value!r}.")
    return value


def error_strategy(where: str, name: str, value: object) -> str:
    if isinstance(value, ErrorHandler):
        return value.value
    return choice(where, name, value, [handler.value for handler in ErrorHandler])


def check_partial(where: str, strategy: str | None, rate: float | None) -> None:
    """A rate counts with `continue_on_partial` alone; without one an item at least must succeed."""
    partial = strategy == ErrorHandler.CONTINUE_ON_PARTIAL.value
    if not partial and rate is not None:
        raise DefinitionError(
            f'{where}: min_success_rate only counts with error_strategy="continue_on_partial".'
        )


def pool(where: str, config: Mapping[str, Any] | None, size: object) -> dict[str, Any] | None:
    """The document's `pool` object; None when the step asks for no pool of its own."""
    if config is None:
        if size is None:
            return None
        return {"mode": "pooled", "size": whole(where, "pool_size", size, low=1, high=1000)}
    if not isinstance(config, Mapping):
        raise DefinitionError(f'{where}: pool_config must be a dict such as {{"size": 5}}, not {config!r}.')
    inside = f"{where}: pool_config"
    refuse_unknown(inside, set(config) - set(PoolConfig.__annotations__), PoolConfig.__annotations__)
    given = dict(config)
    _one_of(inside, given, "max_uses", "max_agent_uses")
    if size is not None:
        if "size" in given:
            raise DefinitionError(f"{where}: give pool_size or pool_config's size, not both.")
        given["size"] = whole(where, "pool_size", size, low=1, high=1000)
    result: dict[str, Any] = {
        "mode": choice(inside, "mode", given.pop("mode", "pooled"), ["pooled", "standard"])
    }
    for name, low, high in (("size", 1, 1000), ("min_size", 0, 1000), ("max_size", 1, 1000)):
        if name in given:
            result[name] = whole(inside, name, given[name], low=low, high=high)
    if "warm_up" in given:
        result["warm_up"] = flag(inside, "warm_up", given["warm_up"])
    if "max_uses" in given:
        result["max_uses"] = whole(inside, "max_uses", given["max_uses"], low=1, high=2**31)
    if "idle_timeout" in given:
        result["idle_timeout"] = duration(inside, "idle_timeout", given["idle_timeout"])
    result |= _place(inside, given)
    _check_pool(inside, result)
    return result


def _place(where: str, given: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    if "capacity_type" in given:
        kind = choice(where, "capacity_type", given["capacity_type"], ["any", "on_demand", "spot"])
        found["capacity_type"] = kind
    if "zone" in given:
        found["zone"] = text(where, "zone", given["zone"])
    return found


def with_resources(
    where: str, pool: dict[str, Any] | None, env: object, given: object
) -> dict[str, Any] | None:
    """The document's `pool` object with what its agents have."""
    more: dict[str, Any] = {}
    if env:
        texts = isinstance(env, Mapping) and all(isinstance(one, str) for pair in env.items() for one in pair)
        if not isinstance(env, Mapping) or not texts:
            raise DefinitionError(f'{where}: env is a dict of texts such as {{"MODE": "a"}}, not {env!r}.')
        more["env"] = dict(env)
    if given:
        if not isinstance(given, Mapping):
            raise DefinitionError(f'{where}: resources is a dict such as {{"cpu": 0.5}}, not {given!r}.')
        refuse_unknown(f"{where}: resources", set(given) - set(_RESOURCES), _RESOURCES)
        more.update({name: _RESOURCES[name](where, value) for name, value in given.items()})
    return pool if not more else {**(pool or {"mode": "pooled"}), **more}


_RESOURCES: dict[str, Callable[[str, Any], Any]] = {
    "cpu": lambda where, value: cpus(value, f"{where}: cpu"),
    "memory": lambda where, value: memory_bytes(value, f"{where}: memory"),
    "pids": lambda where, value: whole(where, "pids", value, low=1, high=100_000),
}


def _one_of(where: str, given: dict[str, Any], name: str, other: str) -> None:
    if other in given:
        if name in given:
            raise DefinitionError(f"{where}: give {name} or {other}, not both.")
        given[name] = given.pop(other)


def _check_pool(where: str, pool: Mapping[str, Any]) -> None:
    if "size" in pool and ("min_size" in pool or "max_size" in pool):
        raise DefinitionError(f"{where}: give size, or min_size and max_size, not both.")
    if pool.get("min_size", 0) > pool.get("max_size", 1000):
        raise DefinitionError(f"{where}: min_size is more than max_size.")
    if pool["mode"] == "standard" and (pool.get("max_uses", 1) > 1 or pool.get("warm_up")):
        raise DefinitionError(f"{where}: mode standard uses an agent once; leave max_uses and warm_up out.")
