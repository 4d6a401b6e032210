"""What type checkers know of user code: programs that are right pass strictly, wrong ones are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from mypy import api

from agentainer_flow import Context, DefinitionError, Runnable, step, workflow

PROGRAM = """
from typing import Any

from agentainer_flow import Context, Runnable, WorkflowClient, mapreduce, step, workflow
from agentainer_flow.triggers import cron


@workflow(schedule=cron("0 6 * * *", timezone="Europe/Berlin"))
class Report(Runnable):
    @step
    def rows(self, ctx: Context, day: str = "today") -> list[int]:
        return [1, 2]

    @step(parallel=True, pool_config={"size": 5})
    async def double(self, ctx: Context, row: int) -> int:
        return 2 * row


@mapreduce(pool_size=5)
class Count(Runnable):
    def items(self, ctx: Context) -> dict[str, Any]:
        return {"source": "s3://bucket/a.csv", "batch_size": 10}

    def mapper(self, ctx: Context, item: str) -> int:
        return len(item)


def use(client: WorkflowClient) -> None:
    reveal_type(Report.run_local(day="x").result())
    reveal_type(Report().rows(Context()))
    reveal_type(client.run(Report).state)
    reveal_type(Count.to_document())
"""
WRONG = """
from agentainer_flow import step


@step(dependson=[])
def work(self: object, ctx: object) -> None: ...
"""


def test_user_code_is_checked_strictly_and_keeps_its_types(tmp_path: Path) -> None:
    (tmp_path / "user_code.py").write_text(PROGRAM)
    (tmp_path / "wrong_code.py").write_text(WRONG)
    files = [str(tmp_path / name) for name in ("user_code.py", "wrong_code.py")]
    out, err, _ = api.run(["--strict", "--no-incremental", "--config-file=", *files])
    assert err == ""
    errors = [line for line in out.splitlines() if ": error:" in line]
    assert {line.partition(".py:")[0].rpartition("/")[2] for line in errors} == {"wrong_code"}, out
    assert "did you mean" in errors[0]
    kinds = [line.partition("Revealed type is ")[2] for line in out.splitlines() if "Revealed" in line]
    assert kinds[:3] == ['"Any"', '"list[int]"', '"str"']
    assert "dict[str, Any]" in kinds[3]


def test_a_runnable_without_workflow_says_so() -> None:
    class Bare(Runnable):
        @step
        def work(self, ctx: Context) -> int:
            return 1

    for ask in (Bare.run_local, Bare.to_document):
        with pytest.raises(DefinitionError, match="put @workflow on the class"):
            ask()
    assert workflow(Bare).run_local().result() == 1
