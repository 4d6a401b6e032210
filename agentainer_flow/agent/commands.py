"""Commands as bodies: a program of the image, JSON on its stdin, JSON on its stdout, its log on stderr.

Each finds an environment, a scratch directory and a process group of its own, and nothing of it is left when
it has ended, however many processes it has started.
Does not: keep time-outs (the agent ends the worker, and all that it started with it).
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, NoReturn

from agentainer_flow.agent.bodies import Call
from agentainer_flow.agent.outputs import MAX_OUTPUT, BadOutput
from agentainer_flow.agent.processes import adopt_orphans, children, end_children, has_children, kill_group
from agentainer_flow.agent.scratch import Scratch

CHUNK = 65536
LAST_WORDS = 8192  # bytes of stderr that an error tells
DIRECTORY = "AGENTAINER_DIRECTORY"  # where an image has its commands start; else it is their scratch space

# What of the context a command finds in its environment.
_VARIABLES = {
    "AGENTAINER_WORKFLOW_ID": "workflow_id",
    "AGENTAINER_RUN_ID": "run_id",
    "AGENTAINER_STEP_ID": "step_id",
    "AGENTAINER_ATTEMPT": "attempt",
}
ITEM_INDEX = "AGENTAINER_ITEM_INDEX"


class CommandFailed(Exception):
    """`kind` is the type of the error; `last_words` is what it wrote to stderr at the end."""

    def __init__(self, kind: str, message: str, last_words: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.last_words = last_words or None


class Commands:
    """For one worker: one command at a time."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._environment = dict(os.environ)  # bodies of code may change it later

    def body(self, words: Sequence[str], item: Callable[[], int]) -> Call:
        """`item` tells the position of the input at work among those of its request."""

        def call(value: Any, context: Mapping[str, Any]) -> Any:
            return self._run(words, _stdin(value), _variables(context, item()))

        return call

    def _run(self, words: Sequence[str], given: bytes, variables: Mapping[str, str]) -> Any:
        with contextlib.ExitStack() as cleaning:
            try:
                here = str(cleaning.enter_context(self._scratch.for_command()))
            except OSError as exc:
                sentence = f"The command has no scratch space: {exc.strerror}."
                raise CommandFailed("command_not_started", sentence) from exc
            environment = {**self._environment, **variables, "HOME": here, "TMPDIR": here}
            return _Running(words, environment, environment.get(DIRECTORY) or here).result(given)


class _Running:
    def __init__(self, words: Sequence[str], environment: Mapping[str, str], directory: str) -> None:
        self._words = words
        self._environment = environment
        self._directory = directory
        self._before = children() if has_children() else []
        self._process: subprocess.Popen[bytes] | None = None
        self._begun = threading.Event()
        self._lock = threading.Lock()
        self._gone = False  # its number may be another's by now
        self._said = bytearray()
        self._last = bytearray()
        self._too_much = False

    def result(self, given: bytes) -> Any:
        """Raises `CommandFailed` and `BadOutput`."""
        # There before the command is, which may leave no room for another thread or process.
        ending = threading.Thread(target=self._end_with_it, daemon=True)
        try:
            ending.start()
        except RuntimeError as exc:
            sentence = "The limit of processes leaves no room for a command."
            raise CommandFailed("command_not_started", sentence) from exc
        adopt_orphans(True)
        try:
            self._process = self._started()
            self._begun.set()
            self._talk(self._process, given)
        except BaseException:
            self._kill()
            raise
        finally:
            self._begun.set()
            ending.join()
            adopt_orphans(False)
        if self._too_much:
            limit = MAX_OUTPUT // 1024**2
            raise BadOutput(f"The command printed more than {limit} MiB, which is the limit of an output.")
        if self._process.returncode:
            words = self._last.decode("utf-8", "replace").strip()
            raise CommandFailed("command_failed", _sentence(self._process.returncode, words), words)
        return _output(self._said)

    def _started(self) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                self._words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
                cwd=self._directory,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as exc:
            _not_started(self._words[0], self._directory, exc)

    def _end_with_it(self) -> None:
        """Whatever holds its pipes open ends with the command, so that reading them ends, too."""
        self._begun.wait()
        if self._process is None:
            return
        pid = self._process.pid
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            kill_group(pid)
            self._process.wait()
            self._gone = True
        if has_children():
            end_children(self._before)

    def _kill(self) -> None:
        with self._lock:
            if self._process is not None and not self._gone:
                os.kill(self._process.pid, signal.SIGKILL)

    def _talk(self, process: subprocess.Popen[bytes], given: bytes) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        with process.stdin, process.stdout, process.stderr, selectors.DefaultSelector() as ready:
            os.set_blocking(process.stdin.fileno(), False)
            ready.register(process.stdin, selectors.EVENT_WRITE)
            ready.register(process.stdout, selectors.EVENT_READ, self._hear_output)
            ready.register(process.stderr, selectors.EVENT_READ, self._hear_log)
            left = memoryview(given)
            while ready.get_map():
                for key, _ in ready.select():
                    if key.data is None:
                        left = left[_written(process.stdin, left) :]
                        if left:
                            continue
                    else:
                        data = os.read(key.fd, CHUNK)
                        if data:
                            key.data(data)
                            continue
                    ready.unregister(key.fileobj)
                    if key.data is None:
                        process.stdin.close()

    def _hear_output(self, data: bytes) -> None:
        if self._too_much:
            return
        self._said += data
        if len(self._said) > MAX_OUTPUT:
            self._too_much = True
            self._said.clear()
            self._kill()

    def _hear_log(self, data: bytes) -> None:
        sys.stderr.buffer.write(data)
        self._last += data
        if len(self._last) > 2 * LAST_WORDS:
            del self._last[:-LAST_WORDS]


def _written(pipe: IO[bytes], data: memoryview) -> int:
    """How much of it needs no writing any more."""
    try:
        return os.write(pipe.fileno(), data[:CHUNK])
    except BlockingIOError:
        return 0
    except BrokenPipeError:
        return len(data)  # it reads no further


def _not_started(name: str, directory: str, exc: OSError) -> NoReturn:
    if exc.filename == directory:
        why = f"cannot be entered: {exc.strerror}"
        sentence = f"The directory {directory}, in which the image has its commands start, {why}."
    elif isinstance(exc, FileNotFoundError) and name == "/bin/sh":
        sentence = "This image has no /bin/sh: write the command as a list, of a program and its arguments."
    elif isinstance(exc, FileNotFoundError):
        sentence = f"There is no program {name} in this image, or the loader that it needs is missing."
    elif isinstance(exc, PermissionError):
        sentence = f"{name} may not be executed by the agent's user."
    else:
        sentence = f"{name} could not be started: {exc.strerror}."
    raise CommandFailed("command_not_started", sentence) from exc


def _stdin(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # half a character, which only an escape can express
        return json.dumps(value).encode() + b"\n"


def _variables(context: Mapping[str, Any], item: int) -> dict[str, str]:
    found = {name: str(context[key]) for name, key in _VARIABLES.items() if context.get(key) is not None}
    indexes = context.get("item_indexes")
    index = indexes[item] if isinstance(indexes, list) and item < len(indexes) else context.get("item_index")
    if index is not None:
        found[ITEM_INDEX] = str(index)
    return found


def _sentence(code: int, words: str) -> str:
    if code > 0:
        how = f"ended with exit code {code}"
    else:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        how = f"was ended by {name}" + ("; perhaps memory ran out" if -code == signal.SIGKILL else "")
    last = f" It last wrote: {words.splitlines()[-1][:500]}" if words else ""
    return f"The command {how}.{last}"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _output(said: bytearray) -> Any:
    """What it printed, as JSON; null when it printed nothing. Raises `BadOutput`."""
    try:
        text = said.decode().strip()
    except UnicodeDecodeError:
        raise BadOutput("The command printed bytes that are no text in UTF-8.") from None
    if not text:
        return None
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise BadOutput("The command printed JSON that is nested too deeply.") from None
    except ValueError as exc:
        shown = text[:200] + ("…" if len(text) > 200 else "")
        raise BadOutput(f"The command printed no JSON ({exc}): {shown!r}.") from None
