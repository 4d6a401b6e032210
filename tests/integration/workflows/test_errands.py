"""Bodies that wait for agents and runs they start: nobody is stuck, and nothing outlives its request."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from aflow_site.kernel.errors import FlowError, InvalidInput, NotFound
from pools.facade import api as pools
from pools.facade.contracts import AgentKind, Invocation, LeaseOutcome
from teams.facade import api as teams
from teams.models import Team
from tests.integration.workflows.harness import CODE, drive, mapping, task
from workflows.domain.document import Document
from workflows.models import Run, Workflow, WorkflowVersion
from workflows.models import Step as StepRow
from workflows.services.step_pools import make_trial_pools

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

IMAGE = "processor:latest"


def of_body(invocation: Invocation) -> bool:
    return invocation.runs is not None


async def ask(invocation: Invocation, op: str, **args: Any) -> Any:
    assert invocation.listener is not None
    return await invocation.listener.call(op, args, 0)


async def hire(invocation: Invocation, **args: Any) -> Any:
    deployed = await ask(invocation, "agent.deploy", **{"image": IMAGE, **args})
    return (await ask(invocation, "agent.wait", id=deployed["id"])).get("output")


@pytest.mark.parametrize("size", [1, 5])
async def test_fifty_bodies_lease_from_the_pool_that_they_are_in(size: int) -> None:
    """Body and hired agent lease from one fake broker, which has `size` agents in all."""

    async def body(value: Any, invocation: Invocation) -> Any:
        if not of_body(invocation):
            return 10 * value["item"]
        return await hire(invocation, input={"item": value["item"]})

    run, broker = await drive(body, mapping("m", over=list(range(50))), broker={"size": size})
    assert run.state == "completed"
    assert run.output == [10 * number for number in range(50)]
    assert broker.most_at_once <= 50 + size
    assert {outcome for outcome, _ in broker.released} == {LeaseOutcome.OK}


async def test_many_agents_of_one_body_share_one_place() -> None:
    async def body(value: Any, invocation: Invocation) -> Any:
        if not of_body(invocation):
            return value
        deployed = [await ask(invocation, "agent.deploy", image=IMAGE, input=n) for n in range(10)]
        answers = [await ask(invocation, "agent.wait", id=one["id"]) for one in deployed]
        more = await ask(invocation, "agent.invoke", id=deployed[0]["id"], input="more")
        return [answer["output"] for answer in [*answers, more]]

    run, _ = await drive(body, task("t"), broker={"size": 1})
    assert run.output == [*range(10), "more"]


async def test_a_large_answer_comes_to_the_body_as_a_value() -> None:
    async def body(_value: Any, invocation: Invocation) -> Any:
        return len(await hire(invocation)) if of_body(invocation) else list(range(20_000))

    run, _ = await drive(body, task("t"))
    assert run.output == 20_000


async def test_what_an_agent_raises_comes_to_its_body() -> None:
    async def body(_value: Any, invocation: Invocation) -> Any:
        if not of_body(invocation):
            raise ValueError("no")
        deployed = await ask(invocation, "agent.deploy", image=IMAGE)
        return (await ask(invocation, "agent.wait", id=deployed["id"]))["error"]["message"]

    run, _ = await drive(body, task("t"))
    assert run.output == "no"


async def test_hired_agents_ask_for_nothing_themselves() -> None:
    async def body(_value: Any, invocation: Invocation) -> Any:
        if of_body(invocation):
            return await hire(invocation)
        with pytest.raises(FlowError, match="cannot ask the run"):
            await ask(invocation, "agent.deploy", image=IMAGE)
        return "alone"

    run, _ = await drive(body, task("t"))
    assert run.output == "alone"


async def test_what_a_body_did_not_wait_for_ends_with_it() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def body(_value: Any, invocation: Invocation) -> Any:
        if of_body(invocation):
            await ask(invocation, "agent.deploy", image=IMAGE)
            await begun.wait()
            return "gone"
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    run, broker = await drive(body, task("t"))
    assert run.output == "gone"
    assert ended.is_set()
    assert not broker.held


async def test_mistakes_are_told_to_the_body() -> None:
    async def body(_value: Any, invocation: Invocation) -> Any:
        if not of_body(invocation):
            return None
        deployed = await ask(invocation, "agent.deploy", image=IMAGE, start=False)
        with pytest.raises(InvalidInput, match="ask it by invoke"):
            await ask(invocation, "agent.wait", id=deployed["id"])
        await ask(invocation, "agent.stop", id=deployed["id"])
        with pytest.raises(InvalidInput, match="was stopped"):
            await ask(invocation, "agent.invoke", id=deployed["id"])
        with pytest.raises(NotFound, match="no such agent"):
            await ask(invocation, "agent.wait", id="x")
        with pytest.raises(InvalidInput, match="image is text"):
            await ask(invocation, "agent.deploy", image=7)
        with pytest.raises(InvalidInput, match="env is an object"):
            await ask(invocation, "agent.deploy", image=IMAGE, env={"A": 1})
        with pytest.raises(NotFound, match="no secret KEY"):
            await ask(invocation, "secrets.get", name="KEY")
        return await ask(invocation, "agent.logs", id=deployed["id"])

    run, _ = await drive(body, task("t"))
    assert run.output == []


async def test_modes_and_environments_have_pools_of_their_own() -> None:
    async def body(_value: Any, invocation: Invocation) -> Any:
        if not of_body(invocation):
            return invocation.context.get("env")
        wishes: list[dict[str, Any]] = [
            {"mode": "pooled"},
            {"mode": "standard"},
            {"mode": "pooled", "env": {"A": "1"}},
            {"mode": "pooled", "cpu": 0.5, "memory": 2**28},
            {"mode": "pooled", "image": "python"},
        ]
        return [
            (await ask(invocation, "agent.deploy", **{"image": IMAGE, **wish}))["pool"] for wish in wishes
        ]

    run, _ = await drive(body, task("t"))
    names: Any = run.output
    shared, cold, env, limits, built_in = names
    assert (shared, built_in) == (pools.default_pool_name(AgentKind(IMAGE)), "python")
    team_id = run.team_id
    found = {name: await sync_to_async(pools.get_pool)(team_id, name) for name in names}
    assert found[cold].max_uses == 1
    assert found[shared].max_uses > 1
    assert found[env].settings["env"] == {"A": "1"}
    assert (found[limits].settings["cpu"], found[limits].settings["memory"]) == (0.5, 2**28)
    assert len(set(names)) == 5


async def test_a_secret_of_the_team_is_read_by_name() -> None:
    team, _ = await sync_to_async(Team.objects.get_or_create)(slug="t", defaults={"name": "T"})
    await sync_to_async(teams.set_secret)(team.pk, "KEY", "s3cret", author="ann")

    async def body(_value: Any, invocation: Invocation) -> Any:
        return (await ask(invocation, "secrets.get", name="KEY")) == "s3cret"

    run, _ = await drive(body, task("t"))
    assert run.output is True


def test_a_step_s_environment_and_resources_reach_its_pool() -> None:
    team, _ = Team.objects.get_or_create(slug="t", defaults={"name": "T"})
    options = {"env": {"A": "1"}, "cpu": 0.5, "memory": 2**28, "pids": 64}
    document = Document.model_validate({"name": "w", "steps": [task("own", pool=options)]})
    make_trial_pools(team.pk, document)
    settings = pools.get_pool(team.pk, "w-own").settings
    assert {name: settings[name] for name in options} == options


# --- runs -------------------------------------------------------------------------------------------------


def child_workflow() -> None:
    team, _ = Team.objects.get_or_create(slug="t", defaults={"name": "T"})
    workflow = Workflow.objects.create(team=team, name="child", version=1)
    document = {"name": "child", "steps": [{"id": "a", "type": "task", "run": CODE}]}
    WorkflowVersion.objects.create(workflow=workflow, number=1, document=document)


def finish(run: Run, **fields: Any) -> None:
    Run.objects.filter(pk=run.pk).update(**fields)


async def started() -> Run:
    async with asyncio.timeout(20):
        while True:
            run = await sync_to_async(Run.objects.filter(workflow__name="child").first)()
            if run is not None:
                return run
            await asyncio.sleep(0.01)


async def test_a_body_runs_a_workflow_and_gets_what_came_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows.services.nudges.current_app.send_task", lambda *_args, **_more: None)
    await sync_to_async(child_workflow)()

    async def body(_value: Any, invocation: Invocation) -> Any:
        return await ask(invocation, "workflow.run", workflow="child", params={})

    driving = asyncio.ensure_future(drive(body, task("t"), broker={"size": 1}))
    child = await started()
    assert child.depth == 1
    await sync_to_async(finish)(child, state="completed", output=42)
    run, _ = await driving
    assert run.output == {"id": str(child.pk), "state": "completed", "output": 42, "error": None}


async def test_a_body_that_is_stopped_stops_the_run_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows.services.nudges.current_app.send_task", lambda *_args, **_more: None)
    await sync_to_async(child_workflow)()

    async def body(value: Any, invocation: Invocation) -> Any:
        if value == {"item": 0}:
            return await ask(invocation, "workflow.run", workflow="child", params={})
        await started()
        raise ValueError("enough")

    run, _ = await drive(body, mapping("m", over=[0, 1]))
    assert run.state == "failed"
    child = await started()
    assert child.cancel_requested_at is not None or child.state == "cancelled"
    step = await sync_to_async(StepRow.objects.get)(run=run, key="m")
    assert step.state == "failed"


async def test_runs_start_runs_only_so_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows.services.children.MAX_DEPTH", 0)
    await sync_to_async(child_workflow)()

    async def body(_value: Any, invocation: Invocation) -> Any:
        with pytest.raises(InvalidInput, match="0 deep at most"):
            await ask(invocation, "workflow.run", workflow="child")
        with pytest.raises(InvalidInput):
            await ask(invocation, "workflow.run", workflow="nobody")
        return True

    run, _ = await drive(body, task("t"))
    assert run.output is True
