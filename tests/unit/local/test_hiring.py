"""Bodies of local runs deploy agents, run workflows and read secrets, in sync and async code alike."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentainer_flow import AgentFailed, Context, DefinitionError, RunFailed, step, workflow
from agentainer_flow.errors import InvalidRequest, NotFound
from agentainer_flow.hiring import cpus, memory_bytes
from agentainer_flow.testing import MockContext, mock_agent, run_workflow_locally

NUMBERS = {"type": "object", "properties": {"n": {"type": "integer", "default": 3}}}


@workflow(params=NUMBERS)
class Deploys:
    @step
    def items(self, ctx: Context, n: int) -> list[int]:
        return list(range(n))

    @step(parallel=True, max_workers=10)
    async def process(self, ctx: Context) -> Any:
        agent = await ctx.deploy_agent("processor:latest")
        return await agent.wait()


def test_the_program_that_deploys_an_agent_for_each_item() -> None:
    with mock_agent("processor").does(lambda given: 10 * given["item"]) as processor:
        run = run_workflow_locally(Deploys)
    assert run.result() == [0, 10, 20]
    processor.assert_called_times(3)


def test_its_failure_is_the_body_s() -> None:
    with mock_agent("processor").fails("OSError", "no disk"):
        run = run_workflow_locally(Deploys)
    error = run.items("process")[0]["error"]
    assert (error["type"], error["message"]) == (
        "AgentFailed",
        "The agent processor:latest failed: OSError: no disk",
    )


@workflow
class ByHand:
    @step
    def sync(self, ctx: Context) -> Any:
        agent = ctx.deploy_agent("adder:1", name="ann", env={"BASE": 1}, start=False)
        found = [agent.invoke(1), agent.invoke(2), agent.logs(), repr(agent)]
        with pytest.raises(InvalidRequest, match="invoke"):
            agent.wait()
        agent.stop()
        with pytest.raises(InvalidRequest, match="was stopped"):
            agent.invoke(3)
        return found

    @step
    async def together(self, ctx: Context) -> Any:
        agents = [await ctx.deploy_agent("adder:1") for _ in range(3)]
        return await asyncio.gather(*(agent.wait_for_completion() for agent in agents))

    @step
    async def secret(self, ctx: Context) -> Any:
        with pytest.raises(NotFound, match="no secret nothing"):
            await ctx.secrets.get("nothing")
        return [await ctx.secrets["KEY"], ctx.workflow_id, ctx.parallel_context]


def test_agents_are_asked_by_hand() -> None:
    with mock_agent("adder").delays("2m").returns(7), mock_agent("ann").does(lambda value: value + 1):
        run = run_workflow_locally(ByHand, secrets={"KEY": "s3cret"})
    assert run.error is None
    assert run.step("sync")["output"] == [2, 3, [], "Agent('ann')"]
    assert run.step("together")["output"] == [7, 7, 7]
    assert run.result() == ["s3cret", "by-hand", None]


@workflow(params=NUMBERS)
class Child:
    @step
    def work(self, ctx: Context, n: int) -> int:
        if n > 5:
            raise ValueError("more than five")
        return n + 1


@workflow
class Starts:
    @step
    async def children(self, ctx: Context) -> Any:
        found = await asyncio.gather(*(ctx.run_workflow(Child, {"n": number}) for number in range(3)))
        with pytest.raises(RunFailed, match="more than five"):
            await ctx.run_workflow("child", {"n": 6})
        with pytest.raises(InvalidRequest, match="integer"):
            await ctx.run_workflow("child", {"n": "six"})
        with pytest.raises(NotFound, match="no workflow orphan"):
            await ctx.run_workflow("orphan")
        return found

    @step
    def sync(self, ctx: Context) -> Any:
        return ctx.run_workflow(Child, {"n": 5})


def test_bodies_run_workflows() -> None:
    run = run_workflow_locally(Starts, workflows=[Child])
    assert run.error is None
    assert run.step("children")["output"] == [1, 2, 3]
    assert run.result() == 6


def test_a_parallel_body_knows_where_it_stands() -> None:
    @workflow
    class Where:
        @step
        def items(self, ctx: Context) -> list[str]:
            return ["a", "b"]

        @step(parallel=True)
        def tell(self, ctx: Context) -> Any:
            here = ctx.parallel_context
            assert here is not None
            return [here.index, here.total, here.item, ctx.json({"a": 1})]

    run = run_workflow_locally(Where)
    assert run.result() == [[0, 2, "a", '{"a": 1}'], [1, 2, "b", '{"a": 1}']]
    assert [log["text"] for log in run.logs("tell")] == ['{"a": 1}'] * 2


def test_execution_mode_is_what_the_platform_is_asked_for() -> None:
    asked: list[str] = []

    class Listens(MockContext):
        def _ask(self, op: str, args: dict[str, Any]) -> Any:
            asked.append(args["mode"])
            return {"id": "1", "name": "a"}

    def body(self: Any, ctx: Context) -> Any:
        ctx.deploy_agent("a:1")

    from agentainer_flow.sdk.steps import MARK

    for options in ({}, {"execution_mode": "pooled"}, {"pool_size": 2}, {"execution_mode": "standard"}):
        made: Any = step(**options)(body)
        getattr(made, MARK).call(None, Listens(), {})
    assert asked == ["standard", "pooled", "pooled", "standard"]


def test_limits_are_checked_where_they_are_written() -> None:
    assert (cpus("500m"), cpus(2), memory_bytes("1Gi"), memory_bytes("512M")) == (0.5, 2, 2**30, 512 * 10**6)
    for wrong in ("much", 0, "-1"):
        with pytest.raises(DefinitionError, match="cpu_limit"):
            cpus(wrong)
        with pytest.raises(DefinitionError, match="memory_limit"):
            memory_bytes(wrong)
    with pytest.raises(AttributeError, match="did you mean deploy_agent"):
        MockContext().deploy_agents  # noqa: B018
    with pytest.raises(AgentFailed, match="a failed: timeout: late"):
        raise AgentFailed("a", "timeout", "late")
