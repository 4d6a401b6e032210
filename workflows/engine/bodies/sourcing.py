"""The items of a source, read by an agent: page after page into a file, and from there into the store.

So a map goes over the same items whoever drives it later, and neither agent nor executor ever holds them all.
"""

from __future__ import annotations

import json
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from aflow_site.kernel.errors import InvalidInput
from aflow_site.kernel.json import to_json
from pools.facade.contracts import AgentError, Lease
from workflows.domain.sources import Source
from workflows.domain.states import StepState
from workflows.domain.steps import ItemsStep, Run
from workflows.engine.bodies.attempts import Attempts
from workflows.engine.bodies.base import Body
from workflows.engine.invoking import StepCall
from workflows.services.rows import holds_nul
from workflows.services.step_pools import kind_of, reading_pool

MOST_BYTES = 4 * 1024**3  # of one source, as JSON
READING = {"phase": "read"}
_TARGET = "agentainer_flow.sources.agent:read"
_CODE = "from agentainer_flow.sources.agent import read as main\n"


class SourceFailed(Exception):
    """The source was not read; `error` says why."""

    def __init__(self, error: AgentError) -> None:
        super().__init__(error.message)
        self.error = error


class Gathered(Iterable[Any]):
    """JSON values in a temporary file, a line each. Away from the loop."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this object
        weakref.finalize(self, self._file.close)
        self.count = 0

    def begin(self) -> None:
        """Anew: what a former attempt read does not count."""
        self._file.seek(0)
        self._file.truncate()
        self.count = 0

    def add(self, items: list[Any]) -> None:
        """Raises InvalidInput for what cannot be kept."""
        if any(holds_nul(item) for item in items):
            raise InvalidInput("An item of the source has a NUL character, which cannot be kept.")
        self._file.writelines(to_json(item) + b"\n" for item in items)
        self.count += len(items)
        if self._file.tell() > MOST_BYTES:
            limit = MOST_BYTES // 1024**3
            raise InvalidInput(f"The source has more than {limit} GiB of items; split it into several.")

    def __iter__(self) -> Iterator[Any]:
        self._file.seek(0)
        for line in self._file:
            yield json.loads(line)


@dataclass(slots=True)
class Reading:
    """Of one map. `body` is the map's."""

    body: Body
    step: ItemsStep
    source: Source
    gathered: Gathered = field(default_factory=Gathered)
    _error: AgentError | None = None

    async def stored(self) -> Any:
        """What the step's `input` holds from now on: the list, or a reference to it. Raises SourceFailed and
        NoAgent."""
        await self._check_network()
        record, context = self.body.record, self.body.context
        if record.progress == READING:
            record.excused += 1  # the attempt of a former driver
        await self._attempts().until_done(self._asked())
        if self._error is not None:
            raise SourceFailed(self._error)
        record.input = await context.keep_list(self.gathered)
        record.attempts = record.losses = record.excused = 0  # from here on they are the map's own
        record.error = record.progress = record.retry_at = None
        context.book.step_changed(record, "step.read")
        await context.settled()
        return record.input

    @property
    def pool(self) -> str:
        return self.source.pool or reading_pool(self.body.context.run.document, self.step)

    @property
    def _run(self) -> Run:
        bundle = self.source.bundle
        return Run(code=_CODE) if bundle is None else Run(handler=_TARGET, bundle=bundle)

    async def _check_network(self) -> None:
        if not self.source.is_outside:
            return
        context = self.body.context
        if await context.agents.reaches_outside(self.pool):
            return
        sentence = (
            f"{self.source.shown} is outside, and the agents of pool {self.pool} reach nothing outside."
            ' Let a pool with network "egress" read it: name it as "pool" beside the source, or as the'
            " workflow's defaults.pool."
        )
        raise SourceFailed(AgentError("no_egress", sentence))

    def _asked(self) -> dict[str, Any]:
        return {
            "source": self.source.source,
            "format": self.source.format,
            "options": self.source.options,
            "bundled": self.source.bundle is not None,
        }

    def _attempts(self) -> Attempts:
        context, record = self.body.context, self.body.record
        document, run = context.run.document, self._run
        call = StepCall.of(
            context.run.id,
            context.run.workflow,
            record.key,
            run,
            context.load_bundle,
            timeout=document.timeout_of(self.step),
            more=context.shared_params,
        )
        return Attempts(
            context=context,
            record=record,
            step=self.step,
            call=call,
            retry=document.retry_of(self.step),
            pool=self.pool,
            kind=kind_of(run),
            started=self._started,
            waits=lambda: context.book.step_changed(record, "step.retrying"),
            ended=self._ended,
            sink=self._take,
        )

    def _started(self, _lease: Lease) -> None:
        record = self.body.record
        record.progress = READING
        self.gathered.begin()
        if record.state is StepState.QUEUED:
            self.body.begin(StepState.RUNNING, "step.started")

    async def _take(self, items: list[Any]) -> None:
        context, record = self.body.context, self.body.record
        await context.read(self.gathered.add, items)
        record.progress = {**READING, "items": self.gathered.count}
        context.book.progressed(record)

    def _ended(self, _output: Any, error: AgentError | None) -> None:
        self._error = error
