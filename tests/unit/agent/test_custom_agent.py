"""An agent of five lines, and what an agent needs of its surroundings."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentainer_flow.agent.settings import Settings
from tests.unit.agent.running import ROOT, RunningAgent, agent_in

HELLO = """
    from agentainer_flow.agent import serve
    def handle(input, context):
        return {"hello": input["name"], "run": context.get("run_id")}
    serve(handle)
"""


def test_five_lines_make_an_agent(tmp_path: Path) -> None:
    with agent_in(tmp_path, HELLO) as agent:
        request = {"input": {"name": "Ada"}, "context": {"run_id": "r1", "fence": 3}}
        answer = agent.post("/invoke", request)
        assert answer.json == {"output": {"hello": "Ada", "run": "r1"}}
        assert answer.headers["X-Agent-Boot"] == agent.send("GET", "/health").json["boot"]
        batch = agent.post("/invoke", {"inputs": [{"name": "a"}, {}]}).json["outputs"]
        assert batch[0] == {"output": {"hello": "a", "run": None}}
        assert batch[1]["error"]["type"] == "KeyError"
        assert 'in handle\n' in batch[1]["error"]["traceback"]  # fmt: skip
        assert "worker.py" not in batch[1]["error"]["traceback"]
        stale = agent.post("/invoke", {**request, "context": {"fence": 2}})
        assert stale.error["type"] == "stale_fence"
        assert agent.post("/invoke", {**request, "runs": {"code": "0" * 64}}).status == 400
        assert agent.end() == 0


def test_a_handler_may_be_async_and_is_stopped_too(tmp_path: Path) -> None:
    script = """
        import asyncio
        from agentainer_flow.agent import serve
        loaded = []
        loaded.append("before serving")
        async def handle(input, context):
            print("begins")
            await asyncio.sleep(input)
            return loaded
        if __name__ == "__main__":
            serve(handle)
    """
    with agent_in(tmp_path, script) as agent:
        answer = agent.post("/invoke", {"input": 0})
        assert answer.json == {"output": ["before serving"]}
        assert [line["text"] for line in answer.logs] == ["begins"]
        late = agent.post("/invoke", {"input": 60, "context": {"deadline": time.time() + 0.3}})
        assert late.error["type"] == "timeout"


def test_what_was_printed_before_serving_is_printed_once(tmp_path: Path) -> None:
    script = """
        from agentainer_flow.agent import serve
        print("loading")
        serve(lambda input, context: print(input))
    """
    with agent_in(tmp_path, script) as agent:
        assert agent.printed == ["loading\n", f"listening on 127.0.0.1:{agent.port}\n"]
        assert [line["text"] for line in agent.post("/invoke", {"input": "x"}).logs] == ["x"]
        agent.process.terminate()
        assert agent.process.communicate(timeout=10) == (b"", b"")


def test_without_a_token_everybody_may(tmp_path: Path) -> None:
    with agent_in(tmp_path, AGENTAINER_TOKEN="") as agent:
        assert agent.send("POST", "/reset", b"{}", token=None).status == 200


def test_bodies_know_their_agent(agent: RunningAgent) -> None:
    source = "import os\ndef main(name): return os.environ['AGENTAINER_' + name]"
    assert [agent.output(source, name) for name in ("AGENT_ID", "POOL")] == ["agent-1", "python"]


def test_it_needs_nothing_but_the_standard_library() -> None:
    program = """
import sys
import agentainer_flow.agent, agentainer_flow.agent.__main__
names = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names - {"__main__"}
own = {name for name in sys.modules if name.startswith("agentainer_flow.")}
print(sorted(names), sorted(name for name in own if not name.startswith("agentainer_flow.agent")))
"""
    # -S: what is installed cannot be imported, nor does it import anything by itself.
    command = [sys.executable, "-S", "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "['agentainer_flow'] []\n"


@pytest.mark.parametrize("port", ["x", "-1", "65536", "8000.5"])
def test_a_bad_port_is_told(port: str) -> None:
    with pytest.raises(ValueError, match="AGENTAINER_PORT"):
        Settings.from_env({"AGENTAINER_PORT": port})


def test_settings_have_defaults() -> None:
    assert Settings.from_env({}) == Settings(host="0.0.0.0", port=8000)


def test_a_port_that_is_taken_ends_the_start_with_a_sentence(agent: RunningAgent) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "agentainer_flow.agent"],
        cwd=ROOT,
        env={"AGENTAINER_PORT": str(agent.port), "AGENTAINER_HOST": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("The agent cannot start: ")
    assert "Traceback" not in done.stderr
