"""The driver over real rows: what ends, how, and what the rows and events say afterwards."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.db import IntegrityError, transaction
from django.utils import timezone

from aflow_site.kernel.ids import new_id
from pools.facade.contracts import AgentLost, AgentTimeout, LeaseLost, LeaseOutcome
from pools.facade.contracts import LogLine as AgentLine
from tests.integration.workflows.harness import Harness, asked, drive, make_run, mapping, task
from workflows.domain.states import StepState
from workflows.models import Event, Item, LogLine, Run, Step
from workflows.selectors.health import SILENCE
from workflows.services import claims, control
from workflows.services.abandoning import abandon
from workflows.services.journal import ClaimLost

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


def echo(value: Any, _invocation: Any) -> Any:
    return value


@sync_to_async
def steps(run: Run) -> dict[str, Step]:
    return {step.key: step for step in Step.objects.filter(run=run)}


@sync_to_async
def items(run: Run, key: str) -> list[Item]:
    return list(Item.objects.filter(step__run=run, step__key=key).order_by("index"))


@sync_to_async
def events(run_id: UUID) -> list[Event]:
    return list(Event.objects.filter(run_id=run_id).order_by("seq"))


async def test_values_flow_from_params_through_steps_to_the_output() -> None:
    run, broker = await drive(
        lambda value, _: value["n"] * 2,
        task("a", input={"n": "${params.n}"}),
        task("b", input={"n": "${steps.a.output}"}, needs=["a"]),
        output={"result": "${steps.b.output}"},
        params={"n": 5},
    )
    assert (run.state, run.output, run.error) == ("completed", {"result": 20}, None)
    assert [invocation.inputs for invocation in broker.sent] == [({"n": 5},), ({"n": 10},)]
    assert run.started_at is not None
    assert run.finished_at is not None
    assert run.started_at <= run.finished_at


async def test_without_an_output_the_last_step_s_is_taken() -> None:
    run, _ = await drive(echo, task("a", input=1), task("b", input=2, needs=["a"]))
    assert run.output == 2
    run, _ = await drive(echo, task("a", input=1), task("b", input=2))
    assert run.output == {"a": 1, "b": 2}


async def test_a_map_gives_its_outputs_in_order_and_reduce_gets_them() -> None:
    async def body(value: Any, invocation: Any) -> Any:
        if invocation.context["step_id"] == "sum":
            return sum(value["results"])
        await asyncio.sleep(0.001 * (value["item"] % 3))
        return value["item"] * 10

    run, _ = await drive(
        body,
        mapping("m", over="${params.list}"),
        {**task("sum", needs=["m"]), "type": "reduce"},
        params={"list": list(range(100))},
    )
    assert run.output == sum(range(100)) * 10
    rows = await items(run, "m")
    assert [row.index for row in rows] == list(range(100))
    assert all(row.state == "completed" and row.attempts == 1 for row in rows)
    step = (await steps(run))["m"]
    assert (step.total, step.completed, step.failed) == (100, 100, 0)
    assert step.usage["leases"] >= 1
    assert sum(step.usage["agents"].values()) == 100


async def test_a_map_over_nothing_completes() -> None:
    run, broker = await drive(echo, mapping("m", over=[]))
    assert (run.state, run.output) == ("completed", [])
    assert broker.sent == []


async def test_batches_are_one_call_with_many_inputs() -> None:
    run, broker = await drive(
        lambda value, _: value["item"] + 1, mapping("m", over=list(range(10)), batch_size=4)
    )
    assert run.output == list(range(1, 11))
    assert sorted(len(invocation.inputs) for invocation in broker.sent) == [2, 4, 4]
    assert all(invocation.batch for invocation in broker.sent)


async def test_a_map_s_input_template_and_alias() -> None:
    run, _ = await drive(
        echo,
        mapping("m", over=["a", "b"], **{"as": "path"}, input={"p": "${path}", "i": "${index}"}),
    )
    assert run.output == [{"p": "a", "i": 0}, {"p": "b", "i": 1}]
    run, _ = await drive(echo, mapping("m", over=["a"], **{"as": "path"}))
    assert run.output == [{"path": "a"}]


async def test_a_failed_attempt_is_tried_again_and_the_result_counts() -> None:
    seen: list[int] = []

    def body(_value: Any, invocation: Any) -> Any:
        seen.append(invocation.context["attempt"])
        if len(seen) < 3:
            raise ValueError("not yet")
        return "there"

    run, _ = await drive(body, task("a", retry={"max_attempts": 3, "delay": 0.01}))
    assert (run.state, run.output, seen) == ("completed", "there", [1, 2, 3])
    assert (await steps(run))["a"].attempts == 3
    names = [event.type for event in await events(run.pk)]
    assert names.count("step.retrying") == 2


async def test_an_error_that_stays_fails_the_run_with_its_traceback() -> None:
    def body(_value: Any, _invocation: Any) -> Any:
        raise ValueError("broken")

    run, broker = await drive(
        body, task("a", retry={"max_attempts": 2, "delay": 0.01}), task("b", needs=["a"])
    )
    assert run.state == "failed"
    assert run.error == {
        "type": "ValueError",
        "message": "broken",
        "traceback": "Traceback …",
        "step": "a",
    }
    assert len(broker.sent) == 2
    states = {key: step.state for key, step in (await steps(run)).items()}
    assert states == {"a": "failed", "b": "skipped"}


async def test_a_step_that_runs_while_another_fails_is_stopped() -> None:
    async def body(_value: Any, invocation: Any) -> Any:
        if invocation.context["step_id"] == "bad":
            raise ValueError("broken")
        return await asyncio.sleep(30)

    run, broker = await drive(body, task("slow"), task("bad"))
    states = {key: step.state for key, step in (await steps(run)).items()}
    assert (run.state, states) == ("failed", {"slow": "cancelled", "bad": "failed"})
    assert broker.released == [(LeaseOutcome.ERROR, 1)] * 2  # the pools look whether the agent is free


@pytest.mark.parametrize(
    ("strategy", "state", "step_state"),
    [
        ({"error_strategy": "fail_fast"}, "failed", "failed"),
        ({"error_strategy": "continue"}, "completed", "completed"),
        ({"error_strategy": "continue_on_partial", "min_success_rate": 0.9}, "completed", "completed"),
        ({"error_strategy": "continue_on_partial", "min_success_rate": 0.95}, "failed", "failed"),
    ],
)
async def test_error_strategies(strategy: dict[str, Any], state: str, step_state: str) -> None:
    def body(value: Any, _invocation: Any) -> Any:
        if isinstance(value, list):
            return value
        if value["item"] in (3, 7):
            raise ValueError(f"item {value['item']}")
        return value["item"]

    run, _ = await drive(
        body,
        mapping("m", over=list(range(20)), **strategy),
        task("after", needs=["m"], input="${steps.m.failed.map(f, f.index)}"),
    )
    step = (await steps(run))["m"]
    rows = await items(run, "m")
    assert (run.state, step.state) == (state, step_state)
    assert len(rows) == 20  # each item is accounted for
    assert all(row.state in ("completed", "failed", "cancelled") for row in rows)
    if state == "completed":
        assert run.output == [3, 7]
        assert rows[3].error["message"] == "item 3"
        assert [row.output for row in rows] == [None if i in (3, 7) else i for i in range(20)]
    else:
        assert "item" in run.error["message"]


async def test_items_have_their_own_retries() -> None:
    tries: dict[int, int] = {}

    def body(value: Any, _invocation: Any) -> Any:
        tries[value["item"]] = tries.get(value["item"], 0) + 1
        if value["item"] % 5 == 0 and tries[value["item"]] < 3:
            raise ValueError("again")
        return value["item"]

    run, _ = await drive(body, mapping("m", over=list(range(20)), retry={"max_attempts": 3, "delay": 0.01}))
    assert run.output == list(range(20))
    assert {row.index: row.attempts for row in await items(run, "m") if row.attempts > 1} == {
        0: 3,
        5: 3,
        10: 3,
        15: 3,
    }


async def test_a_lost_agent_costs_nothing_but_time() -> None:
    lost: set[int] = set()

    def body(value: Any, _invocation: Any) -> Any:
        if value["item"] in (2, 9) and value["item"] not in lost:
            lost.add(value["item"])
            raise AgentLost("gone")
        return value["item"]

    run, broker = await drive(body, mapping("m", over=list(range(12))))
    assert (run.state, run.output) == ("completed", list(range(12)))
    assert [outcome for outcome, _ in broker.released].count(LeaseOutcome.POISON) == 2
    rows = await items(run, "m")
    assert {row.index: (row.attempts, row.losses) for row in rows if row.losses} == {2: (2, 1), 9: (2, 1)}


@pytest.mark.parametrize("lost", [AgentLost, LeaseLost])
async def test_interruptions_count_neither_as_losses_nor_against_the_retry_policy(
    lost: type[AgentLost | LeaseLost],
) -> None:
    """More of them than a body may lose agents, under a policy without any retry."""
    tries: Counter[Any] = Counter()

    def body(value: Any, _invocation: Any) -> Any:
        which = value["item"] if value else "task"
        tries[which] += 1
        if which in (3, "task") and tries[which] <= 5:
            error = lost("its machine is taken away")
            error.interrupted = True
            raise error
        return which

    once = {"max_attempts": 1}
    run, _ = await drive(body, mapping("m", over=list(range(6)), retry=once), task("a", retry=once))
    assert (run.state, run.error) == ("completed", None)
    (item,) = [row for row in await items(run, "m") if row.index == 3]
    assert (item.attempts, item.losses, item.excused) == (6, 0, 5)
    step = (await steps(run))["a"]
    assert (step.attempts, step.losses, step.excused) == (6, 0, 5)


async def test_a_body_that_kills_three_agents_fails() -> None:
    """What each of them still wrote is kept."""

    def body(_value: Any, invocation: Any) -> Any:
        invocation.listener.log(AgentLine(timezone.now(), "stdout", "allocating"))
        raise AgentLost("the agent died")

    run, broker = await drive(body, task("a", retry={"max_attempts": 50, "delay": 0.01}))
    assert (run.state, len(broker.sent)) == ("failed", 3)
    assert run.error["type"] == "dead_letter"
    kept = LogLine.objects.filter(run=run, step="a").order_by("attempt")
    assert [(line.attempt, line.text) async for line in kept] == [(n, "allocating") for n in (1, 2, 3)]


async def test_a_time_out_is_an_error_of_the_attempt() -> None:
    def body(_value: Any, invocation: Any) -> Any:
        raise AgentTimeout("too long")

    run, broker = await drive(body, task("a", timeout="2s"))
    assert run.state == "failed"
    assert run.error["type"] == "timeout"
    assert "2 s" in run.error["message"]
    assert broker.sent[0].timeout == 2
    assert broker.released == [(LeaseOutcome.POISON, 1)]


async def test_an_expression_without_a_value_fails_its_step_with_a_sentence() -> None:
    run, _ = await drive(echo, task("a", input="${params.missing}"))
    assert run.error["type"] == "bad_input"
    assert "missing" in run.error["message"]
    run, _ = await drive(echo, task("a", input=5), mapping("m", over="${steps.a.output}", needs=["a"]))
    assert "must give a list" in run.error["message"]


@pytest.mark.parametrize(
    ("document", "step", "expected"),
    [({"max_parallel": 3}, {}, 3), ({}, {"max_parallel": 2}, 2), ({}, {}, 5)],
)
async def test_max_parallel(document: dict[str, Any], step: dict[str, Any], expected: int) -> None:
    async def body(value: Any, _invocation: Any) -> Any:
        await asyncio.sleep(0.005)
        return value["item"]

    _, broker = await drive(body, mapping("m", over=list(range(40)), **step), **document)
    assert broker.most_at_once == expected


async def test_an_agent_gets_no_more_requests_than_its_lease_allows() -> None:
    run, broker = await drive(echo, mapping("m", over=list(range(50))), broker={"uses": 7})
    assert run.state == "completed"
    assert sum(uses for _, uses in broker.released) == 50
    assert max(uses for _, uses in broker.released) <= 7


async def test_the_events_are_numbered_without_gaps_and_tell_the_rows_states() -> None:
    run, _ = await drive(
        echo, mapping("m", over=list(range(30))), task("b", needs=["m"], input="${steps.m.output.size()}")
    )
    log = await events(run.pk)
    assert [event.seq for event in log] == list(range(1, len(log) + 1))
    step_states: dict[str, str] = {}
    item_states: dict[int, str] = {}
    run_state = "pending"
    for event in log:
        if "run" in event.data:
            run_state = event.data["run"]["state"]
        if "step" in event.data:
            step_states[event.data["step"]["id"]] = event.data["step"]["state"]
        item_states |= {index: state for index, state, _ in event.data.get("items", [])}
    assert run_state == run.state
    assert step_states == {key: step.state for key, step in (await steps(run)).items()}
    assert item_states == {row.index: row.state for row in await items(run, "m")}


async def test_cancelling_stops_what_runs_and_accounts_for_the_rest() -> None:
    started = asyncio.Event()

    async def body(value: Any, _invocation: Any) -> Any:
        if value["item"] < 5:
            return value["item"]
        started.set()
        return await asyncio.sleep(30)

    run_id = await sync_to_async(make_run)(mapping("m", over=list(range(50))), task("b", needs=["m"]))
    harness = Harness(body)
    driver = await harness.take(run_id)
    driving = asyncio.create_task(driver.drive())
    async with asyncio.timeout(60):
        await started.wait()
    await asked(control.cancel_run, run_id)
    driver.look()
    async with asyncio.timeout(60):
        await driving
    await harness.close()
    run = await sync_to_async(Run.objects.get)(pk=run_id)
    assert run.state == "cancelled"
    assert {key: step.state for key, step in (await steps(run)).items()} == {
        "m": "cancelled",
        "b": "cancelled",
    }
    rows = await items(run, "m")
    assert len(rows) == 50
    assert {row.state for row in rows} == {"completed", "cancelled"}
    assert not harness.broker.held


async def test_another_executor_goes_on_where_one_died_and_the_dead_one_cannot_write() -> None:
    half = asyncio.Event()
    done: list[int] = []

    async def slow(value: Any, _invocation: Any) -> Any:
        if len(done) >= 20:
            half.set()
            return await asyncio.sleep(30)
        done.append(value["item"])
        return value["item"]

    run_id = await sync_to_async(make_run)(mapping("m", over=list(range(60))))
    first = Harness(slow)
    driver = await first.take(run_id)
    driving = asyncio.create_task(driver.drive())
    async with asyncio.timeout(60):
        await half.wait()
    await driver.context.book.settled()

    second = Harness(echo)  # nobody beats for the first executor: it counts as dead
    async with asyncio.timeout(60):
        await second.drive(run_id)
    run = await sync_to_async(Run.objects.get)(pk=run_id)
    assert run.state == "completed"
    rows = await items(run, "m")
    assert [row.state for row in rows] == ["completed"] * 60
    finished = run.last_seq

    # The first one comes back to life: whatever it has to say is refused, and it ends.
    driver.context.book.step_changed(driver.run.steps["m"], "step.started")
    with pytest.raises(ClaimLost):
        await driver.context.book.settled()
    driving.cancel()
    await asyncio.gather(driving, return_exceptions=True)
    await first.close()
    await second.close()
    run = await sync_to_async(Run.objects.get)(pk=run_id)
    assert run.last_seq == finished
    assert [row.state for row in await items(run, "m")] == ["completed"] * 60


def test_a_run_has_one_driver_until_that_falls_silent() -> None:
    run_id = make_run(task("a"))
    one, other = new_id(), new_id()
    now = timezone.now()
    claims.beat(one, "one", now)
    assert claims.claim(run_id, one, now) == 1
    assert claims.claim(run_id, other, now) is None
    assert claims.unclaimed(now) == []
    later = now + timedelta(seconds=SILENCE + 0.1)
    assert claims.unclaimed(later) == [run_id]
    assert claims.claim(run_id, other, later) == 2


def test_an_executor_that_ends_in_order_leaves_its_runs_at_once() -> None:
    run_id = make_run(task("a"))
    one = new_id()
    now = timezone.now()
    claims.beat(one, "one", now)
    claims.claim(run_id, one, now)
    claims.retire(one)
    assert claims.unclaimed(now) == [run_id]


def test_an_ended_run_is_never_claimed() -> None:
    run_id = make_run(task("a"))
    Run.objects.filter(pk=run_id).update(state="completed")
    assert claims.claim(run_id, new_id(), timezone.now()) is None
    assert claims.unclaimed(timezone.now()) == []


def test_states_of_rows_are_held_by_the_database() -> None:
    run_id = make_run(task("a"))
    with pytest.raises(IntegrityError), transaction.atomic():
        Run.objects.filter(pk=run_id).update(state="strange")
    with pytest.raises(IntegrityError), transaction.atomic():
        Step.objects.filter(run_id=run_id).update(state="strange")
    assert Step.objects.get(run_id=run_id).state == StepState.PENDING


@pytest.mark.parametrize(
    ("output", "stored"),
    [
        ("\\u0000", "\\u0000"),
        ("half \ud800", "half ?"),
        (2**200, 2**200),
        ({"deep": ["é", 1.5, None, True]}, {"deep": ["é", 1.5, None, True]}),
    ],
)
async def test_whatever_a_step_returns_is_stored(output: Any, stored: Any) -> None:
    run, _ = await drive(lambda _value, _invocation: output, task("a"), output={"is": "${steps.a.output}"})
    assert run.state == "completed", run.error
    assert run.output["is"] == stored
    assert (await steps(run))["a"].output == stored


@pytest.mark.parametrize("levels", [501, 700, 1015])
async def test_an_output_that_is_nested_too_deeply_is_told(levels: int) -> None:
    def nested(_value: Any, _invocation: Any) -> Any:
        output: Any = 1
        for _ in range(levels):
            output = {"in": [output]} if levels == 700 else [output]
        return output

    run, _ = await drive(nested, task("a"))
    assert (run.error["type"], run.error["step"]) == ("bad_output", "a")
    assert "nested too deeply" in run.error["message"]


@pytest.mark.parametrize("output", ["a\x00b", {"a": [{"\x00": 1}]}, ["\\\x00", "x" * 100_000]])
async def test_an_output_with_a_nul_is_told_not_changed(output: Any) -> None:
    run, _ = await drive(lambda _value, _invocation: output, task("a"))
    assert run.state == "failed"
    assert (run.error["type"], run.error["step"]) == ("bad_output", "a")
    assert "NUL" in run.error["message"]


async def test_a_run_that_cannot_be_driven_ends() -> None:
    run_id = await sync_to_async(make_run)(mapping("m", over=[1]), task("b", needs=["m"]))
    fence = await sync_to_async(claims.claim)(run_id, new_id(), timezone.now())
    assert fence is not None
    assert not await sync_to_async(abandon)(run_id, fence + 1, "not ours")
    assert await sync_to_async(abandon)(run_id, fence, "it broke")
    run = await sync_to_async(Run.objects.get)(pk=run_id)
    assert (run.state, run.error["message"]) == ("failed", "it broke")
    assert {step.state for step in (await steps(run)).values()} == {"cancelled"}
