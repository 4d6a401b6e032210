"""Each type of step over real rows: what it does, what it gives, and what the rows say afterwards."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from pools.facade.contracts import Invocation
from teams.facade.contracts import Role
from tests.integration.workflows.harness import CODE, Play, drive, mapping, play, task
from workflows.engine import driver
from workflows.models import Item, Run, Step, Workflow
from workflows.selectors import runs as read
from workflows.services import control, messages, state
from workflows.services.endings import run_ended
from workflows.services.journal import ClaimLost
from workflows.services.messages import Person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


def named(value: Any, invocation: Any) -> Any:
    """Gives the step's id, or fails when the input says so."""
    if isinstance(value, dict) and value.get("fail"):
        raise ValueError(value["fail"])
    return invocation.context["step_id"]


def echo(value: Any, _invocation: Any) -> Any:
    return value


async def states_of(run: Run) -> dict[str, str]:
    rows = await sync_to_async(lambda: list(Step.objects.filter(run=run).values_list("key", "state")))()
    return dict(rows)


# --- conditions and branches -------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "chosen"), [(2000, "large"), (10, "small")])
async def test_a_branch_chooses_which_steps_run(size: int, chosen: str) -> None:
    run, _ = await drive(
        echo,
        task("check", input={"size": "${params.size}"}),
        {
            "id": "route",
            "type": "branch",
            "needs": ["check"],
            "cases": [{"when": "${steps.check.output.size > 1000}", "then": ["large"]}],
            "else": ["small"],
        },
        task("large", input="l"),
        task("small", input="s"),
        task("after_large", needs=["large"]),
        task("join", needs=["large", "small"], input="${steps.route.output.chosen}"),
        params={"size": size},
        output="${steps.join.output}",
    )
    other = "small" if chosen == "large" else "large"
    states = await states_of(run)
    assert (run.state, run.output) == ("completed", [chosen])
    assert (states[chosen], states[other], states["join"]) == ("completed", "skipped", "completed")
    assert states["after_large"] == ("completed" if chosen == "large" else "skipped")


async def test_a_condition_skips_a_step_and_what_needs_only_it() -> None:
    run, _broker = await drive(
        named,
        task("a"),
        task("b", needs=["a"], when="${params.wanted}"),
        task("c", needs=["b"]),
        task("d", needs=["a", "b"]),
        params={"wanted": False},
    )
    assert await states_of(run) == {"a": "completed", "b": "skipped", "c": "skipped", "d": "completed"}
    assert run.state == "completed"
    reasons = await sync_to_async(lambda: dict(Step.objects.filter(run=run).values_list("key", "reason")))()
    assert (reasons["b"], reasons["c"]) == ("condition", "needs_skipped")
    run, _ = await drive(named, task("a", when="${params.n > 1}"), params={"n": 2})
    assert run.output == "a"


async def test_a_condition_must_be_true_or_false() -> None:
    run, _ = await drive(named, task("a", when="${params.n}"), params={"n": 3})
    assert run.state == "failed"
    assert run.error["type"] == "bad_input"
    assert "true or false" in run.error["message"]


# --- after a failure ---------------------------------------------------------------------------------------


async def test_always_run_cleans_up_after_a_failure_and_after_success() -> None:
    for fail in ("no", None):
        run, _ = await drive(
            named,
            task("a", input={"fail": fail}),
            task("b", needs=["a"]),
            task("clean", needs=["b"], always_run=True),
        )
        states = await states_of(run)
        assert states["clean"] == "completed"
        assert run.state == ("failed" if fail else "completed")
        assert states["b"] == ("skipped" if fail else "completed")


async def test_a_tolerated_failure_lets_the_run_go_on() -> None:
    run, _ = await drive(
        lambda value, _: value if value != "bad" else (_ for _ in ()).throw(ValueError("no")),
        task("a", input="bad", error_strategy="continue"),
        task("b", needs=["a"], input="${steps.a.output}"),
    )
    assert (run.state, run.output) == ("completed", None)
    assert await states_of(run) == {"a": "failed", "b": "completed"}


async def test_the_strategy_continue_goes_on_with_what_does_not_need_the_failed_step() -> None:
    run, _ = await drive(
        named,
        task("bad", input={"fail": "no"}),
        task("after", needs=["bad"]),
        task("x"),
        task("y", needs=["x"]),
        failure_strategy="continue",
    )
    assert run.state == "failed"
    assert await states_of(run) == {"bad": "failed", "after": "skipped", "x": "completed", "y": "completed"}


async def test_completed_steps_are_undone_in_reverse_order() -> None:
    order: list[str] = []

    def body(value: Any, invocation: Any) -> Any:
        step = invocation.context["step_id"]
        if step == "ship":
            raise ValueError("no truck")
        order.append(step)
        return f"{step} {value}" if value else step

    run, _ = await drive(
        body,
        task("book", compensate="unbook"),
        task("pay", needs=["book"], compensate="refund"),
        task("ship", needs=["pay"]),
        task("refund", input="${steps.pay.output}"),
        task("unbook"),
        task("notify", needs=["ship"], always_run=True),
    )
    assert run.state == "failed"
    assert run.error["step"] == "ship"
    assert order == ["book", "pay", "refund", "unbook", "notify"]
    assert await states_of(run) == {
        "book": "compensated",
        "pay": "compensated",
        "ship": "failed",
        "refund": "completed",
        "unbook": "completed",
        "notify": "completed",
    }


async def test_nothing_is_undone_after_success() -> None:
    run, _ = await drive(named, task("book", compensate="unbook"), task("unbook"))
    assert (run.state, run.output) == ("completed", "book")
    assert await states_of(run) == {"book": "completed", "unbook": "skipped"}


# --- mapreduce and streaming -------------------------------------------------------------------------------


def mapreduce(key: str, **more: Any) -> dict[str, Any]:
    return {"id": key, "type": "mapreduce", "mapper": CODE, "pool": {"size": 2}, **more}


async def test_mapreduce_is_a_map_and_a_reduce_in_one_step() -> None:
    def body(value: Any, _invocation: Any) -> Any:
        return sum(value["results"]) if "results" in value else value["item"] * 2

    run, broker = await drive(
        body, mapreduce("mr", over="${params.files}", reducer=CODE), params={"files": list(range(20))}
    )
    assert run.output == sum(range(20)) * 2
    assert len(broker.sent) == 21
    run, _ = await drive(body, mapreduce("mr", over=[1, 2, 3]))
    assert run.output == [2, 4, 6]
    run, _ = await drive(body, mapreduce("mr", over=[], reducer=CODE))
    assert run.output == 0


async def test_a_mapreduce_keeps_the_place_of_failed_items() -> None:
    def body(value: Any, _invocation: Any) -> Any:
        if "results" in value:
            return value["results"]
        if value["item"] == 1:
            raise ValueError("one")
        return value["item"]

    run, _ = await drive(
        body,
        mapreduce("mr", over=[0, 1, 2], reducer=CODE, error_strategy="continue"),
        output={"out": "${steps.mr.output}", "failed": "${steps.mr.failed}"},
    )
    assert run.output["out"] == [0, None, 2]
    assert [entry["index"] for entry in run.output["failed"]] == [1]


async def test_a_reducer_is_tried_again_with_attempts_of_its_own() -> None:
    tries: list[int] = []

    def body(value: Any, invocation: Any) -> Any:
        if "results" not in value:
            return value["item"]
        tries.append(invocation.context["attempt"])
        if len(tries) < 3:
            raise ValueError("not yet")
        return "done"

    retry = {"max_attempts": 3, "delay": 0.001}
    run, _ = await drive(body, mapreduce("mr", over=[1], reducer=CODE, retry=retry))
    assert (run.output, tries) == ("done", [1, 2, 3])


async def test_a_streaming_reduce_gets_results_while_the_map_runs() -> None:
    gate = asyncio.Event()
    seen: list[int] = []

    async def body(value: Any, invocation: Any) -> Any:
        if invocation.context["step_id"] == "m":
            if value["item"] >= 5:
                await gate.wait()
            return value["item"]
        assert invocation.context["stream"] == "results"
        cursor, done = 0, False
        while not done:
            page = await invocation.listener.call("results.next", {"after": cursor, "max": 3}, 0)
            cursor, done = page["cursor"], page["done"]
            seen.extend(page["results"])
            invocation.listener.progress(len(seen), 0)
            if len(seen) == 5:
                gate.set()
        return sum(seen)

    one = await play(
        body,
        mapping("m", over=list(range(20)), max_parallel=4),
        {**task("r", needs=["m"]), "type": "reduce", "streaming": True},
        broker={"size": 6},
    )
    run = await one.on()
    assert (run.state, run.output) == ("completed", sum(range(20)))
    assert sorted(seen) == list(range(20))
    assert sorted(seen[:5]) == [0, 1, 2, 3, 4]
    assert (await one.steps())["r"].progress == 20


# --- loops -------------------------------------------------------------------------------------------------


def loop(key: str, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": key, "type": "loop", "steps": list(steps), "max_iterations": 10, **more}


async def test_a_loop_runs_until_its_condition_holds_and_carries_its_output() -> None:
    run, broker = await drive(
        lambda value, _: value["n"] + 1,
        task("start", input={"n": 0}),
        loop(
            "grow",
            task("add", input={"n": "${item}"}),
            task("more", needs=["add"], input={"n": "${steps.add.output + steps.start.output}"}),
            needs=["start"],
            input="${steps.start.output}",
            until="${steps.more.output >= 10}",
        ),
    )
    # 1 -> 2 -> 4; 4 -> 5 -> 7; 7 -> 8 -> 10
    assert (run.state, run.output) == ("completed", 10)
    states = await states_of(run)
    assert set(states) == {"start", "grow"} | {f"grow.{i}.{s}" for i in range(3) for s in ("add", "more")}
    assert set(states.values()) == {"completed"}
    indexes = [invocation.context["step_id"] for invocation in broker.sent]
    assert indexes[1:3] == ["grow.0.add", "grow.0.more"]


async def test_a_loop_that_never_ends_fails_with_its_bound() -> None:
    run, broker = await drive(echo, loop("l", task("a", input="${index}"), until=False, max_iterations=4))
    assert run.state == "failed"
    assert run.error["type"] == "max_iterations"
    assert [invocation.inputs[0] for invocation in broker.sent] == [0, 1, 2, 3]


async def test_a_failure_inside_a_loop_fails_the_loop_and_names_the_iteration() -> None:
    def body(value: Any, _invocation: Any) -> Any:
        if value == 2:
            raise ValueError("two")
        return value

    run, _ = await drive(body, loop("l", task("a", input="${index}"), until=False))
    assert run.state == "failed"
    assert "iteration 3" in run.error["message"]
    assert (await states_of(run))["l.2.a"] == "failed"


async def test_loops_hold_maps_branches_and_loops() -> None:
    run, _ = await drive(
        lambda value, _: value["item"] if isinstance(value, dict) else value,
        loop(
            "outer",
            mapping("m", over="${[index, index + 1]}"),
            {
                "id": "b",
                "type": "branch",
                "needs": ["m"],
                "cases": [{"when": "${index == 1}", "then": ["x"]}],
            },
            task("x", input="hit"),
            loop("inner", task("y", input="${index}"), needs=["m"], until="${steps.y.output == 1}"),
            until="${steps.x.state == 'completed'}",
        ),
        output="${steps.outer.output}",
    )
    assert run.state == "completed"
    assert run.output == {"x": "hit", "inner": 1}
    states = await states_of(run)
    assert (states["outer.0.x"], states["outer.1.x"]) == ("skipped", "completed")
    assert states["outer.1.inner.1.y"] == "completed"


async def test_a_loop_goes_on_where_its_driver_died() -> None:
    stuck = asyncio.Event()
    died = False

    async def body(value: Any, _invocation: Any) -> Any:
        if value == 2 and not died:
            stuck.set()
            await asyncio.sleep(30)
        return value

    one = await play(body, loop("l", task("a", input="${index}"), until="${steps.a.output == 4}"))
    await one.begin()
    await stuck.wait()
    assert one.driving is not None
    assert one.harness is not None
    one.driving.cancel()
    await asyncio.gather(one.driving, return_exceptions=True)
    await one.harness.close()
    died = True
    await sync_to_async(Run.objects.filter(pk=one.run_id).update)(claimed_by=None)
    run = await one.on()
    assert (run.state, run.output) == ("completed", 4)
    steps = await one.steps()
    assert (steps["l.2.a"].attempts, steps["l.2.a"].excused) == (2, 1)
    assert steps["l.1.a"].attempts == 1


# --- waiting -----------------------------------------------------------------------------------------------


async def test_a_run_is_parked_when_the_last_of_its_steps_that_do_not_wait_has_ended() -> None:
    waits = asyncio.Event()

    async def body(_given: Any, _invocation: Invocation) -> int:
        await waits.wait()
        return 1

    one = await play(body, task("a"), {"id": "w", "type": "wait", "duration": "10m"})
    await one.begin()
    await one.until("w", "waiting")
    waits.set()
    run = await one.rest()
    assert (run.state, run.parked, (await one.states())["a"]) == ("waiting", True, "completed")


async def test_a_run_is_not_looked_through_again_and_again_while_it_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has a step that waits, and need not be looked at before the other has ended."""
    monkeypatch.setattr(driver, "PARK_AFTER", 0.0)
    looks, called, waits = 0, asyncio.Event(), asyncio.Event()
    at_rest = driver.RunDriver._at_rest

    def look(self: driver.RunDriver) -> list[bool]:
        nonlocal looks
        looks += 1
        return at_rest(self)

    monkeypatch.setattr(driver.RunDriver, "_at_rest", look)

    async def body(_given: Any, _invocation: Invocation) -> int:
        called.set()
        await waits.wait()
        return 1

    one = await play(body, task("a"), {"id": "w", "type": "wait", "duration": "10m"})
    await one.begin()
    await one.until("w", "waiting")
    await called.wait()
    before = looks
    for _ in range(1000):
        await asyncio.sleep(0)
    assert looks - before <= 2, "news of its beginning may have come late"
    waits.set()
    assert (await one.rest()).parked


async def test_waiting_for_a_moment_parks_the_run_and_goes_on_when_it_is_due() -> None:
    one = await play(
        named,
        task("a"),
        {"id": "w", "type": "wait", "needs": ["a"], "duration": "10m"},
        task("b", needs=["w"]),
    )
    run = await one.on()
    assert (run.state, run.parked, run.claimed_by) == ("waiting", True, None)
    step = (await one.steps())["w"]
    assert step.state == "waiting"
    assert step.due_at is not None
    assert timedelta(minutes=9) < step.due_at - timezone.now() <= timedelta(minutes=10)
    past = timezone.now() - timedelta(seconds=1)
    await sync_to_async(Step.objects.filter(pk=step.pk).update)(due_at=past)
    await sync_to_async(Run.objects.filter(pk=run.pk).update)(wake_at=past)
    run = await one.on()
    assert run.state == "completed"


async def test_a_short_wait_needs_no_rest() -> None:
    run, _ = await drive(named, {"id": "w", "type": "wait", "duration": 0.05}, task("b", needs=["w"]))
    assert (run.state, run.output) == ("completed", "b")
    moment = (timezone.now() + timedelta(seconds=0.2)).isoformat()
    run, _ = await drive(named, {"id": "w", "type": "wait", "until": "${params.at}"}, params={"at": moment})
    assert run.state == "completed"
    assert run.output["at"] >= moment[:19]


async def test_an_event_may_come_before_or_while_a_step_waits_for_it() -> None:
    wait = {"id": "w", "type": "wait", "event": "go-${params.n}", "timeout": "1h"}
    for early in (True, False):
        one = await play(echo, wait, params={"n": 1})
        if early:
            await one.ask(messages.signal, "go-1", {"x": 1})
            run = await one.on()
        else:
            await one.begin()
            await one.until("w", "waiting")
            await one.ask(messages.signal, "other", 0)
            await one.ask(messages.signal, "go-1", {"x": 1})
            run = await one.rest()
        assert (run.state, run.output) == ("completed", {"x": 1})


async def test_an_event_that_does_not_come_fails_its_step() -> None:
    run, _ = await drive(echo, {"id": "w", "type": "wait", "event": "go", "timeout": 0.05})
    assert run.state == "failed"
    assert "did not come in time" in run.error["message"]


def approval(**more: Any) -> dict[str, Any]:
    return {"id": "ok", "type": "approval", "prompt": "Publish ${params.what}?", **more}


async def test_a_person_decides_and_the_run_goes_on() -> None:
    form = {"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"]}
    one = await play(echo, approval(form=form), params={"what": "it"}, output="${steps.ok.output}")
    run = await one.on()
    assert run.state == "waiting"
    assert (await one.steps())["ok"].input["prompt"] == "Publish it?"
    await sync_to_async(
        lambda: messages.decide(
            run, "ok", approve=True, data={"note": "yes"}, person=Person("ann", Role.OPERATOR)
        )
    )()
    run = await one.on()
    assert run.state == "completed"
    assert (run.output["approved"], run.output["by"], run.output["data"]) == (True, "ann", {"note": "yes"})


@pytest.mark.parametrize(("on_reject", "state"), [("fail", "failed"), ("continue", "completed")])
async def test_a_rejection(on_reject: str, state: str) -> None:
    one = await play(echo, approval(on_reject=on_reject), params={"what": "it"})
    run = await one.on()
    await sync_to_async(
        lambda: messages.decide(run, "ok", approve=False, data=None, person=Person("bob", Role.ADMIN))
    )()
    run = await one.on()
    assert run.state == state
    assert (await one.steps())["ok"].output["approved"] is False


@pytest.mark.parametrize(("on_timeout", "state"), [("reject", "failed"), ("approve", "completed")])
async def test_a_decision_that_does_not_come(on_timeout: str, state: str) -> None:
    run, _ = await drive(echo, approval(timeout=0.05, on_timeout=on_timeout), params={"what": "it"})
    assert run.state == state


# --- sub-workflows -----------------------------------------------------------------------------------------


def child_workflow(team_id: int, *steps: dict[str, Any], name: str = "child") -> None:
    document = {"name": name, "steps": list(steps), "params": {"type": "object", "properties": {"n": {}}}}
    workflow = Workflow.objects.create(team_id=team_id, name=name)
    workflow.versions.create(number=1, document=document)


async def sub(**more: Any) -> Play:
    parent = {"id": "sub", "type": "workflow", "workflow": "child", "params": {"n": "${params.n}"}, **more}
    one = await play(echo, parent, params={"n": 7})
    run = await one.row()
    await sync_to_async(child_workflow)(run.team_id, task("a", input={"n": "${params.n}"}))
    return one


async def the_child(one: Play) -> Run:
    return await sync_to_async(Run.objects.get)(parent_step__run=one.run_id)


async def test_a_sub_workflow_gives_its_output() -> None:
    one = await sub()
    run = await one.on()
    assert (run.state, run.parked) == ("running", True)
    child = await the_child(one)
    assert (child.params, child.depth) == ({"n": 7}, 1)
    await Play(child.pk, echo).on()
    await sync_to_async(runs_wake)(one)
    run = await one.on()
    assert (run.state, run.output) == ("completed", {"n": 7})


def runs_wake(one: Play) -> None:
    run_ended(Run.objects.get(parent_step__run=one.run_id).pk)


@pytest.mark.parametrize(("most", "state"), [(7, "running"), (6, "failed")])
async def test_a_sub_workflow_gets_no_more_than_anybody_could_send(
    most: int, state: str, settings: Any
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = most  # of {"n":7}
    run = await (await sub()).on()
    assert run.state == state
    if state == "failed":
        assert "They are larger than 6 bytes; let a step fetch what is large." in run.error["message"]


async def test_a_sub_workflow_that_fails_fails_its_step() -> None:
    def body(_value: Any, _invocation: Any) -> Any:
        raise ValueError("inside")

    one = await sub()
    await one.on()
    child = await the_child(one)
    await Play(child.pk, body).on()
    await sync_to_async(runs_wake)(one)
    run = await one.on()
    assert run.state == "failed"
    assert "inside" in run.error["message"]
    assert str(child.pk) in run.error["message"]


async def test_cancelling_a_parent_cancels_its_child() -> None:
    one = await sub()
    await one.on()
    await one.ask(control.cancel_run)
    run = await one.on()
    assert run.state == "cancelled"
    child = await the_child(one)
    assert child.cancel_requested_at is not None
    child = await Play(child.pk, echo).on()
    assert child.state == "cancelled"


async def test_an_unknown_sub_workflow_and_bad_params_fail_the_step_with_a_sentence() -> None:
    run, _ = await drive(echo, {"id": "s", "type": "workflow", "workflow": "nowhere"})
    assert (run.state, run.error["type"]) == ("failed", "not_found")
    one = await sub(params={"x": 1})
    run = await one.on()
    assert (run.state, run.error["type"]) == ("failed", "invalid_params")


# --- state -------------------------------------------------------------------------------------------------


async def test_bodies_share_the_run_s_state_and_expressions_read_it() -> None:
    async def body(value: Any, invocation: Any) -> Any:
        if invocation.context["step_id"] == "m":
            await invocation.listener.call("state.increment", {"key": "n", "by": value["item"]}, 0)
            await invocation.listener.call("state.append_to_list", {"key": "seen", "value": value["item"]}, 0)
        return value

    one = await play(
        body,
        mapping("m", over=list(range(10)), max_parallel=5),
        task("after", needs=["m"], input={"total": "${state.n}"}),
        output="${steps.after.output}",
    )
    run = await one.on()
    assert run.output == {"total": 45}
    values = await sync_to_async(state.all_values)(run.pk)
    assert sorted(values["seen"]) == list(range(10))


async def test_a_superseded_attempt_cannot_write_the_state() -> None:
    one = await play(echo, task("a"))
    await sync_to_async(Run.objects.filter(pk=one.run_id).update)(fence=5)
    with pytest.raises(ClaimLost):
        await sync_to_async(state.apply)(one.run_id, "set", {"key": "k", "value": 1}, fence=4)
    assert await sync_to_async(state.all_values)(one.run_id) == {}


# --- time-outs and retries ---------------------------------------------------------------------------------


async def test_the_total_time_out_of_a_step_ends_it_with_its_attempts() -> None:
    def body(_value: Any, _invocation: Any) -> Any:
        raise ValueError("again")

    retry = {"max_attempts": 100, "delay": 0.02, "backoff": "constant"}
    run, broker = await drive(body, task("a", total_timeout=0.2, retry=retry))
    assert (run.state, run.error["type"]) == ("failed", "timeout")
    assert 2 <= len(broker.sent) < 20


async def test_the_time_out_of_a_run_fails_it_and_stops_what_runs() -> None:
    async def body(value: Any, _invocation: Any) -> Any:
        await asyncio.sleep(20)

    run, _broker = await drive(body, mapping("m", over=[1, 2, 3]), timeout=0.2)
    assert (run.state, run.error["type"]) == ("failed", "timeout")
    rows = await sync_to_async(
        lambda: set(Item.objects.filter(step__run=run).values_list("state", flat=True))
    )()
    assert rows == {"cancelled"}


async def test_only_errors_worth_it_are_tried_again() -> None:
    def body(_value: Any, _invocation: Any) -> Any:
        raise ValueError("no")

    for retry_on, tries in ((["ValueError"], 3), (["KeyError", "timeout"], 1)):
        retry = {"max_attempts": 3, "delay": 0.001, "retry_on": retry_on}
        _, broker = await drive(body, task("a", retry=retry))
        assert len(broker.sent) == tries


# --- large values ------------------------------------------------------------------------------------------


async def test_large_values_are_artifacts_and_pass_from_step_to_step_unseen() -> None:
    large = ["x" * 1000] * 200

    def body(value: Any, invocation: Any) -> Any:
        return large if invocation.context["step_id"] == "make" else len(value)

    run, broker = await drive(
        body,
        task("make"),
        task("count", needs=["make"], input="${steps.make.output}"),
        mapping("each", needs=["make"], over="${steps.make.output}", input="${[item, item]}", max_parallel=2),
        output={
            "count": "${steps.count.output}",
            "made": "${steps.make.output}",
            "n": "${size(steps.each.output)}",
        },
    )
    rows = await sync_to_async(lambda: {step.key: step for step in Step.objects.filter(run=run)})()
    assert rows["make"].output["$artifact"] == rows["count"].input["$artifact"]
    assert run.output["size"] > 200_000
    shape = await sync_to_async(lambda: read.run_detail(read.get_run(run.team_id, run.pk)))()
    assert shape["output"] == {"count": 200, "made": large, "n": 200}
    assert len(broker.sent) == 202


async def test_a_value_that_looks_like_a_reference_is_none() -> None:
    fake = {"$artifact": "0" * 64, "size": 3, "content_type": "application/json"}
    run, _ = await drive(
        echo,
        task("a", input="${params.x}"),
        task("b", needs=["a"], input="${steps.a.output}"),
        params={"x": fake},
    )
    assert run.state == "completed"
    shape = await sync_to_async(lambda: read.run_detail(read.get_run(run.team_id, run.pk)))()
    assert shape["output"] == fake
