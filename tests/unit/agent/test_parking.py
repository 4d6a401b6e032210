"""A body that waits is set aside: others run meanwhile, and it goes on where it was."""

from __future__ import annotations

import signal

from tests.unit.agent.running import RunningAgent
from tests.unit.agent.talking import Talking, request_of, talking

ASKS = """
    from agentainer_flow.agent import call
    kept = []
    def main(name):
        kept.append(name)
        answer = call("wait", {"for": name})
        print("goes on", name)
        return [name, answer, kept]
"""
SAYS = "def main(word):\n    return word"


def parked(agent: RunningAgent, name: str, fence: int) -> tuple[Talking, dict[str, object]]:
    context = {"lease": name, "fence": fence}
    talk = Talking(agent, request_of(ASKS, {"name": name}, context=context))
    call = talk.call()
    answer = agent.post("/park", {"lease": name})
    assert (answer.status, answer.json) == (200, {"parked": True})
    assert agent.post("/park", {"lease": name}).status == 200, "twice is once"
    return talk, call


def says(agent: RunningAgent, word: str, fence: int) -> object:
    request = request_of(SAYS, {"word": word}, context={"lease": f"l{fence}", "fence": fence})
    return agent.post("/invoke", request).json["output"]


def test_others_run_while_bodies_wait_and_each_goes_on_where_it_was(agent: RunningAgent) -> None:
    first, asked = parked(agent, "one", 1)
    assert says(agent, "meanwhile", 2) == "meanwhile"
    second, asked_too = parked(agent, "two", 3)
    assert says(agent, "again", 4) == "again"
    assert second.reply(asked_too, "b")
    assert second.wait().json["output"] == ["two", "b", ["two"]]
    assert first.reply(asked, "a")
    answer = first.wait()
    assert answer.json["output"] == ["one", "a", ["one"]]
    assert [log["text"] for log in answer.logs] == ["goes on one"]
    assert says(agent, "after", 5) == "after"


def test_a_parked_body_is_cancelled_by_its_lease_and_by_its_client(agent: RunningAgent) -> None:
    first, _ = parked(agent, "one", 1)
    second, asked = parked(agent, "two", 2)
    assert agent.post("/cancel", {"lease": "one"}).json == {"cancelled": True}
    assert first.wait().error["type"] == "cancelled"
    second.hang_up()
    assert says(agent, "still here", 3) == "still here"
    assert not second.reply(asked, "too late")
    second.close()


def test_a_parked_body_keeps_its_deadline(agent: RunningAgent) -> None:
    context = {"lease": "one", "fence": 1, "timeout": 1.0}
    with talking(agent, ASKS, {"name": "one"}, context=context) as talk:
        talk.call()
        assert agent.post("/park", {"lease": "one"}).status == 200
        assert talk.wait().error["type"] == "timeout"


def test_a_parked_body_that_dies_is_told_and_a_batch_goes_on(agent: RunningAgent) -> None:
    dies = """
        import os, signal
        from agentainer_flow.agent import call
        def main(n):
            if n == 0:
                call("wait", {})
                os.kill(os.getpid(), signal.SIGKILL)
            return n
    """
    request = request_of(dies, inputs=[{"n": 0}, {"n": 1}], context={"lease": "one"})
    talk = Talking(agent, request)
    call = talk.call()
    assert agent.post("/park", {"lease": "one"}).status == 200
    assert talk.reply(call, None)
    outputs = talk.wait().json["outputs"]
    assert outputs[0]["error"]["type"] == "worker_died"
    assert outputs[1] == {"output": 1}


def test_there_is_nothing_to_park(agent: RunningAgent) -> None:
    assert agent.post("/park", {"lease": "nobody"}).status == 409
    assert agent.post("/park", {}).status == 409


def test_an_agent_that_leaves_waits_for_its_parked_bodies(agent: RunningAgent) -> None:
    talk, asked = parked(agent, "one", 1)
    agent.process.send_signal(signal.SIGTERM)
    assert talk.reply(asked, "a")
    assert talk.wait().json["output"] == ["one", "a", ["one"]]
    assert agent.process.wait(30) == 0


def test_a_reset_ends_parked_bodies(agent: RunningAgent) -> None:
    talk, _ = parked(agent, "one", 1)
    assert agent.post("/reset", {}).json == {"reset": True}
    assert talk.wait().error["type"] == "cancelled"
    assert says(agent, "fresh", 2) == "fresh"
