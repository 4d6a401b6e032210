"""The same workflow here and on the platform: outputs, states of steps, attempts of items must be equal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentainer_flow import ExecutionMode, WorkflowClient, WorkflowExecution
from agentainer_flow.cli.loading import workflow_class_of
from agentainer_flow.testing import LocalExecution, run_workflow_locally
from tests.integration.containers.test_runs_on_containers import deploy, until
from tests.live_platform import LivePlatform

pytestmark = pytest.mark.docker

SECONDS = 120.0
EVERY_RULE = Path("tests/unit/local/every_rule.py")
FINAL = ("completed", "failed", "cancelled")
VOLATILE = ("by", "at")  # who decided, and when


@dataclass(frozen=True)
class Case:
    """`decisions` and `signals` are sent once the step waits, on the platform."""

    file: Path
    params: dict[str, Any] = field(default_factory=dict)
    decisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    signals: dict[str, Any] = field(default_factory=dict)
    waits: str = ""  # the step that waits for the signals


def example(name: str, **params: Any) -> Case:
    return Case(Path("examples") / f"sdk_{name}.py", params)


APPROVED = {"approve": {"approve": True, "data": {"title": "Words"}}}
RULES: list[dict[str, Any]] = [
    {},
    {"bad": [1, 3]},
    {"bad": [0, 1, 2, 3]},
    {"fault": "raise"},
    {"fault": "number"},
    {"fault": "nul"},
    {"fault": "stop"},
    {"fault": "slow"},
    {"way": "long", "rounds": 3},
    {"way": "long", "rounds": 9},
    {"count": 0},
]
CASES = {
    "count": example("word_count", most=2),
    "trip": example("book_trip"),
    "insured": example("book_trip", insured=True),
    "sold-out": example("book_trip", sold_out=True),
    "stream": example("running_total", items=30),
    "kept": Case(Path("examples/sdk_route.py"), {"text": "a b", "order": 3}, {}, {"go-3": {"to": 1}}, "go"),
    "short": Case(
        Path("examples/sdk_route.py"), {"text": "a " * 30, "order": 4}, {}, {"go-4": {"to": 2}}, "go"
    ),
    "published": Case(Path("examples/sdk_publish.py"), {}, APPROVED),
    "archived": Case(Path("examples/sdk_publish.py"), {}, {"approve": {"approve": False}}),
    **{f"rule-{number}": Case(EVERY_RULE, params) for number, params in enumerate(RULES)},
}


@pytest.fixture
def client(platform: LivePlatform) -> Iterator[WorkflowClient]:
    with WorkflowClient(platform.url, platform.credentials["token"]) as client:
        yield client


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_both_end_alike(platform: LivePlatform, client: WorkflowClient, case: Case) -> None:
    cls, children = workflow_class_of(case.file), []
    if "publish" in case.file.name:
        children = [yaml.safe_load(Path("examples/word-count.yaml").read_text())]
        deploy(platform, children[0])
    there = client.run(cls, case.params, mode=ExecutionMode.ASYNC)
    send_news(there, case)
    here = run_workflow_locally(
        cls, case.params, workflows=children, signals=case.signals, decisions=case.decisions
    )
    there.wait(SECONDS)
    assert seen(here) == seen(there)


def send_news(run: WorkflowExecution, case: Case) -> None:
    for step, decision in case.decisions.items():
        until(lambda step=step: state(run, step) == "waiting", SECONDS)
        run.decide(step, **decision)
    for name, payload in case.signals.items():
        until(lambda: state(run, case.waits) == "waiting", SECONDS)
        run.signal(name, payload)


def state(run: WorkflowExecution, step: str) -> str:
    return next(str(one["state"]) for one in run.steps() if one["id"] == step)


def seen(run: LocalExecution | WorkflowExecution) -> dict[str, Any]:
    told = run.run
    error = told["error"] or {}
    steps = {step["id"]: step for step in run.steps()}
    items = {
        key: [(item["state"], item["attempts"], item["output"]) for item in run.items(key)]
        for key, step in steps.items()
        if step["type"] in ("map", "mapreduce")
    }
    return {
        "state": told["state"],
        "output": settled(told["output"]),
        "error": (error.get("type"), error.get("step"), error.get("message")),
        "states": {key: step["state"] for key, step in steps.items()},
        "attempts": {key: step["attempts"] for key, step in steps.items() if step["type"] != "map"},
        "outputs": {key: settled(step["output"]) for key, step in steps.items() if key not in items},
        "items": items,
        "values": run.values(),
    }


def settled(value: Any) -> Any:
    """Without what differs from run to run; of the words of an image and of this machine only how many."""
    if isinstance(value, dict):
        return {key: settled(child) for key, child in value.items() if key not in (*VOLATILE, "approved_by")}
    if isinstance(value, list):
        if value and all(isinstance(one, str) and ": " in one for one in value):
            return len(value)
        if value and all(isinstance(one, dict) and one.keys() == {"word", "times"} for one in value):
            return len(value)
        return [settled(child) for child in value]
    return value
