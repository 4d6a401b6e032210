"""Pause, resume, retry, replay, limits, priorities, trials, and why something waits, over real rows."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from aflow_site.kernel.errors import Conflict, InvalidInput
from aflow_site.kernel.ids import new_id
from teams.models import Team
from tests.fakes.pools import until
from tests.integration.workflows.harness import Harness, Play, asked, drive, mapping, play, task
from workflows.domain.causes import title_of
from workflows.models import Executor, Item, Run, Step, Workflow
from workflows.selectors import failures, limits, waiting
from workflows.services import claims, control, messages, retrying

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


def echo(value: Any, _invocation: Any) -> Any:
    return value


class Gate:
    """A body whose items from `first` on wait until it is opened."""

    def __init__(self, first: int = 5) -> None:
        self.first = first
        self.open = asyncio.Event()
        self.reached = asyncio.Event()
        self.seen: list[int] = []

    async def __call__(self, value: Any, _invocation: Any) -> Any:
        if value is None:
            return None  # a step after the map
        if value["item"] >= self.first:
            self.reached.set()
            await self.open.wait()
        self.seen.append(value["item"])
        return value["item"]


async def why(run_id: Any, key: str | None = None, index: int | None = None) -> dict[str, Any]:
    def ask() -> dict[str, Any]:
        run = Run.objects.select_related("version").get(pk=run_id)
        if key is None:
            return waiting.why_run(run)
        step = Step.objects.get(run=run, key=key)
        return waiting.why_step(run, step) if index is None else waiting.why_item(run, step, index)

    return await sync_to_async(ask)()


# --- pause and resume --------------------------------------------------------------------------------------


async def test_a_pause_lets_what_runs_finish_and_starts_nothing_new() -> None:
    gate = Gate()
    one = await play(gate, mapping("m", over=list(range(40)), max_parallel=3), task("after", needs=["m"]))
    await one.begin()
    await gate.reached.wait()
    await one.ask(control.pause_run)
    await asyncio.sleep(0.1)
    assert (await one.row()).state == "running", "something still runs"
    gate.open.set()
    run = await one.rest()
    assert (run.state, run.parked, run.claimed_by) == ("paused", True, None)
    done = len(gate.seen)
    assert done < 40
    items = await sync_to_async(
        lambda: list(Item.objects.filter(step__run=run, state="running").values_list("index", flat=True))
    )()
    assert items == []
    assert (await why(run.pk))["code"] == "paused"
    assert await sync_to_async(claims.unclaimed)(timezone.now()) == []
    await one.ask(control.resume_run)
    assert await sync_to_async(claims.unclaimed)(timezone.now()) == [run.pk]
    run = await one.on()
    assert run.state == "completed"
    assert sorted(gate.seen) == list(range(40)), "each item ran once"


async def test_a_pause_before_the_start_and_a_resume_before_it_took_effect() -> None:
    one = await play(echo, task("a", input=1))
    await one.ask(control.pause_run)
    run = await one.on()
    assert run.state == "paused"
    assert (await one.states())["a"] == "pending"
    await one.ask(control.resume_run)
    with pytest.raises(Conflict):
        await one.ask(control.resume_run)
    assert (await one.on()).output == 1


async def test_a_paused_run_can_be_cancelled() -> None:
    one = await play(echo, task("a", input=1))
    await one.ask(control.pause_run)
    await one.on()
    await one.ask(control.cancel_run)
    assert (await one.on()).state == "cancelled"
    with pytest.raises(Conflict):
        await one.ask(control.pause_run)


async def test_news_that_come_while_a_run_is_being_parked_are_not_slept_through() -> None:
    """The rows decide: parking is refused when somebody wrote news that the driver has not seen."""
    one = await play(echo, {"id": "w", "type": "wait", "event": "go"})
    harness = Harness(echo)
    driver = await harness.take(one.run_id)
    real, calls = driver.context.book.park, 0

    async def park(wakes: int, event: str | None, **fields: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            await asked(messages.signal, one.run_id, "go", "came")
        await real(wakes, event, **fields)

    driver.context.book.park = park  # type: ignore[method-assign]
    async with asyncio.timeout(60):
        await driver.drive()
    await harness.close()
    run = await one.row()
    assert (run.state, run.output, calls) == ("completed", "came", 1)


# --- retry and replay --------------------------------------------------------------------------------------


async def test_a_retry_runs_only_what_did_not_complete() -> None:
    broken = True
    seen: list[tuple[str, Any]] = []

    def body(value: Any, invocation: Any) -> Any:
        step = invocation.context["step_id"]
        seen.append((step, value.get("item") if isinstance(value, dict) else value))
        if step == "m" and value["item"] in (3, 7) and broken:
            raise ValueError(f"item {value['item']} is bad")
        return value["item"] if step == "m" else value

    one = await play(
        body,
        task("first", input=1),
        mapping(
            "m",
            over=list(range(10)),
            needs=["first"],
            error_strategy="continue_on_partial",
            min_success_rate=1.0,
        ),
        task("last", needs=["m"], input="${steps.m.output}"),
    )
    run = await one.on()
    assert run.state == "failed"
    broken = False
    before = len(seen)
    await one.ask(retrying.retry_run)
    run = await one.on()
    assert (run.state, run.output) == ("completed", list(range(10)))
    again = [what for step, what in seen[before:] if step == "m"]
    assert {3, 7} & set(again), "the failed items ran again"
    completed_before = {what for step, what in seen[:before] if step == "m"} - {3, 7}
    assert not completed_before & set(again), "completed items did not"
    assert [step for step, _ in seen].count("first") == 1
    items = await sync_to_async(lambda: {i.index: i for i in Item.objects.filter(step__run=run)})()
    assert items[3].state == "completed"
    assert (items[3].attempts, items[3].excused) in ((2, 1), (1, 0))


async def test_a_completed_run_with_failed_items_can_be_retried_and_what_follows_is_computed_anew() -> None:
    broken = True

    def body(value: Any, invocation: Any) -> Any:
        if invocation.context["step_id"] == "sum":
            return sum(x or 0 for x in value["results"])
        if value["item"] == 2 and broken:
            raise ValueError("bad")
        return value["item"]

    one = await play(
        body,
        mapping("m", over=[1, 2, 3], error_strategy="continue"),
        {**task("sum", needs=["m"]), "type": "reduce"},
    )
    assert (await one.on()).output == 4
    broken = False
    await one.ask(retrying.retry_run)
    assert (await one.on()).output == 6
    with pytest.raises(Conflict, match="Nothing failed"):
        await one.ask(retrying.retry_run)


async def test_a_retry_gives_the_step_its_attempts_again() -> None:
    tries = 0

    def body(_value: Any, _invocation: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries <= 3:
            raise ValueError("no")
        return "yes"

    one = await play(body, task("a", retry={"max_attempts": 2, "delay": 0.001}))
    assert (await one.on()).state == "failed"
    await one.ask(retrying.retry_run)
    run = await one.on()
    assert (run.state, run.output, tries) == ("completed", "yes", 4)


async def test_a_cancelled_run_goes_on_where_it_was() -> None:
    gate = Gate()
    one = await play(gate, mapping("m", over=list(range(20)), max_parallel=2))
    await one.begin()
    await gate.reached.wait()
    await one.ask(control.cancel_run)
    assert (await one.rest()).state == "cancelled"
    gate.open.set()
    await one.ask(retrying.retry_run)
    run = await one.on()
    assert (run.state, run.output) == ("completed", list(range(20)))
    assert sorted(gate.seen) == list(range(20)), "no item ran twice to its end"


async def test_a_saga_that_went_back_can_go_forward_again() -> None:
    broken = True

    def body(_value: Any, invocation: Any) -> Any:
        if invocation.context["step_id"] == "pay" and broken:
            raise ValueError("no")
        return invocation.context["step_id"]

    one = await play(body, task("book", compensate="unbook"), task("pay", needs=["book"]), task("unbook"))
    assert (await one.on()).state == "failed"
    broken = False
    await one.ask(retrying.retry_run)
    run = await one.on()
    assert run.state == "completed"
    assert await one.states() == {"book": "completed", "pay": "completed", "unbook": "skipped"}


async def test_a_retry_on_a_newer_version_keeps_what_completed() -> None:
    ran: list[str] = []

    def body(value: Any, invocation: Any) -> Any:
        ran.append(invocation.context["step_id"])
        if isinstance(value, dict) and value.get("fail"):
            raise ValueError("bad")
        return value

    one = await play(body, task("a", input=1), task("b", needs=["a"], input={"fail": True}))
    run = await one.on()

    def newer() -> None:
        workflow = Workflow.objects.get(pk=run.workflow_id)
        document = {**run.version.document, "steps": [task("a", input=1), task("b", needs=["a"], input="ok")]}
        workflow.versions.create(number=2, document=document)
        Workflow.objects.filter(pk=workflow.pk).update(version=2)

    await sync_to_async(newer)()
    new = await one.ask(retrying.continue_on_version, 2)
    assert new.pk != run.pk
    after = await Play(new.pk, body).on()
    assert (after.state, after.output, after.origin_id) == ("completed", "ok", run.pk)
    assert ran == ["a", "b", "b"]
    assert (await one.row()).state == "failed"


async def test_a_replay_is_a_new_run_with_other_params() -> None:
    one = await play(
        echo,
        task("a", input="${params.n}"),
        params={"n": 1, "m": 2},
        schema={"type": "object", "properties": {"n": {}, "m": {}}},
    )
    run = await one.on()
    new = await one.ask(retrying.replay_run, {"n": 5}, version=None)
    assert (new.params, new.origin_id) == ({"n": 5, "m": 2}, run.pk)
    with pytest.raises(InvalidInput):
        await one.ask(retrying.replay_run, {"x": 5}, version=None)


# --- maps while they run -----------------------------------------------------------------------------------


async def test_the_width_of_a_running_map_changes() -> None:
    gate = Gate(first=0)
    one = await play(gate, mapping("m", over=list(range(12)), max_parallel=2), broker={"size": 10})
    await one.begin()
    await gate.reached.wait()
    assert one.harness is not None
    broker = one.harness.broker
    await asyncio.sleep(0.05)
    assert broker.most_at_once == 2
    await one.ask(control.change_step, "m", {"max_parallel": 6})
    await until(lambda: broker.most_at_once == 6)
    gate.open.set()
    run = await one.rest()
    assert run.output == list(range(12))
    with pytest.raises(Conflict):
        await one.ask(control.change_step, "m", {"max_parallel": 1})


async def test_the_tolerance_of_a_running_map_changes() -> None:
    opened = asyncio.Event()

    async def body(value: Any, _invocation: Any) -> Any:
        await opened.wait()
        if value["item"] % 2:
            raise ValueError("odd")
        return value["item"]

    one = await play(body, mapping("m", over=list(range(6))))
    await one.begin()
    await one.until("m", "running")
    await one.ask(control.change_step, "m", {"error_strategy": "continue"})
    await asyncio.sleep(0.2)
    opened.set()
    run = await one.rest()
    assert (run.state, run.output) == ("completed", [0, None, 2, None, 4, None])
    with pytest.raises(InvalidInput) as caught:
        await asked(
            control.change_step,
            (await play(echo, mapping("m", over=[]))).run_id,
            "m",
            {"x": 1, "max_parallel": 0},
        )
    assert {fault.path for fault in caught.value.faults} == {"x", "max_parallel"}


async def test_failures_are_grouped_by_their_cause() -> None:
    def body(value: Any, _invocation: Any) -> Any:
        number = value["item"]
        if number % 3 == 0:
            raise ValueError(f"no file '/data/{number}.csv' at 0x{number:x}")
        if number % 3 == 1:
            raise ValueError(f"timed out after {number} s")
        return number

    run, _ = await drive(body, mapping("m", over=list(range(9)), error_strategy="continue"))
    step = await sync_to_async(Step.objects.get)(run=run, key="m")
    groups = await sync_to_async(failures.by_cause)(step)
    assert sorted((group["title"], group["count"]) for group in groups) == [
        ("ValueError: no file … at …", 3),
        ("ValueError: timed out after … s", 3),
    ]
    assert [sample["index"] for sample in groups[0]["samples"]] in ([0, 3, 6], [1, 4, 7])
    assert title_of({"type": "E", "message": ""}) == "E"


# --- limits and priorities ---------------------------------------------------------------------------------


async def test_limits_of_a_workflow_are_places_that_cannot_leak() -> None:
    one = await play(echo, task("a", input=1))
    run = await one.row()
    await sync_to_async(Run.objects.filter(pk=run.pk).update)(max_concurrent=1)

    def another() -> Run:
        return Run.objects.create(
            team_id=run.team_id, workflow=run.workflow, version=run.version, max_concurrent=1
        )

    second = await sync_to_async(another)()
    now, executor = timezone.now(), new_id()
    await sync_to_async(claims.beat)(executor, "e", now)
    assert await sync_to_async(claims.claim)(run.pk, executor, now) is not None
    await sync_to_async(Run.objects.filter(pk=run.pk).update)(state="running")
    assert await sync_to_async(claims.claim)(second.pk, executor, now) is None
    reason = await why(second.pk)
    assert (reason["code"], reason["facts"]["limit"], reason["facts"]["ahead"]) == ("limit", 1, 0)
    # Its executor dies: the place is not lost, and the same run may be taken up again.
    later = now + timedelta(seconds=60)
    assert await sync_to_async(claims.claim)(run.pk, new_id(), later) is not None
    for state in ("paused", "waiting", "completed"):
        await sync_to_async(Run.objects.filter(pk=run.pk).update)(state=state)
        assert (await sync_to_async(limits.full_limit)(second.pk)) is None
    assert await sync_to_async(claims.claim)(second.pk, executor, later) is not None


async def test_limits_of_the_team_and_of_the_platform(settings: Any) -> None:
    one = await play(echo, task("a"))
    run = await one.row()
    other = await (await play(echo, task("a"))).row()
    await sync_to_async(Run.objects.filter(pk=other.pk).update)(state="running")
    assert await sync_to_async(limits.full_limit)(run.pk) is None
    settings.AFLOW_MAX_CONCURRENT_RUNS = 1
    found = await sync_to_async(limits.full_limit)(run.pk)
    assert found is not None
    assert (found.scope, found.used) == ("platform", 1)
    settings.AFLOW_MAX_CONCURRENT_RUNS = None
    await sync_to_async(Team.objects.filter(pk=run.team_id).update)(max_concurrent_runs=1)
    found = await sync_to_async(limits.full_limit)(run.pk)
    assert found is not None
    assert found.scope == "team"


async def test_higher_runs_are_taken_up_first() -> None:
    first, second = await play(echo, task("a")), await play(echo, task("a"))
    assert await sync_to_async(claims.unclaimed)(timezone.now()) == [first.run_id, second.run_id]
    await second.ask(control.prioritize_run, 10)
    assert await sync_to_async(claims.unclaimed)(timezone.now()) == [second.run_id, first.run_id]


async def test_an_executor_succeeds_its_predecessor_at_once() -> None:
    one = await play(echo, task("a"))
    now, old, new = timezone.now(), new_id(), new_id()
    await sync_to_async(claims.beat)(old, "host:executor-0", now)
    fence = await sync_to_async(claims.claim)(one.run_id, old, now)
    assert await sync_to_async(claims.unclaimed)(now) == []
    await sync_to_async(claims.succeed)(new, "host:executor-1")
    assert await sync_to_async(claims.unclaimed)(now) == []
    await sync_to_async(claims.succeed)(new, "host:executor-0")
    assert await sync_to_async(claims.unclaimed)(now) == [one.run_id]
    run = await one.row()
    assert fence is not None
    assert run.fence > fence, "what the old one still writes is refused"
    assert not await sync_to_async(Executor.objects.filter(pk=old).exists)()


# --- why ---------------------------------------------------------------------------------------------------


async def test_reasons_for_waiting() -> None:
    one = await play(
        echo,
        task("a"),
        task("b", needs=["a"]),
        {"id": "ok", "type": "approval", "needs": ["b"], "prompt": "Go?", "timeout": "1h"},
        task("c", when=False),
    )
    assert (await why(one.run_id))["code"] == "no_executor"
    await sync_to_async(claims.beat)(new_id(), "e", timezone.now())
    assert (await why(one.run_id))["code"] == "starting"
    await sync_to_async(Run.objects.filter(pk=one.run_id).update)(state="running")
    reason = await why(one.run_id, "b")
    assert reason["facts"] == {"needs": [{"id": "a", "state": "pending"}]}
    assert "a (pending)" in reason["sentence"]
    await sync_to_async(Run.objects.filter(pk=one.run_id).update)(state="pending")
    await one.on()
    reason = await why(one.run_id)
    assert reason["code"] == "approval"
    assert "role:operator must decide, until" in reason["sentence"]
    reason = await why(one.run_id, "c")
    assert reason["sentence"] == "The step has ended: it is skipped, because its condition did not hold."


async def test_a_step_that_is_tried_again_says_when_and_why() -> None:
    def body(_value: Any, _invocation: Any) -> Any:
        raise ValueError("not now")

    one = await play(body, task("a", retry={"max_attempts": 3, "delay": "20s", "jitter": False}))
    await one.begin()
    await one.until("a", "queued")
    reason = await why(one.run_id, "a")
    assert reason["code"] == "retry"
    assert reason["facts"]["attempt"] == 2
    assert "ValueError: not now" in reason["sentence"]
    await one.ask(control.cancel_run)
    assert (await one.rest()).state == "cancelled"


async def test_items_that_have_not_begun_say_how_many_are_before_them() -> None:
    gate = Gate(first=0)
    one = await play(gate, mapping("m", over=list(range(30)), max_parallel=2))
    await one.begin()
    await gate.reached.wait()
    await one.until("m", "running")
    reason = await why(one.run_id, "m", 20)
    assert reason["code"] == "turn"
    assert reason["facts"]["ahead"] == 18
    gate.open.set()
    await one.rest()
