"""Every kind of step on a whole platform: the shipped examples, run on real containers through the API."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.containers.test_runs_on_containers import deploy, ended, get, start, until
from tests.live_platform import LivePlatform

pytestmark = pytest.mark.docker


@pytest.fixture(autouse=True)
def examples(platform: LivePlatform) -> None:
    """The platform of the containers' tests starts without them."""
    # What an example needs comes before it.
    order = sorted(Path("examples").glob("*.yaml"), key=lambda path: path.stem == "publish-report")
    for path in order:
        if path.stem not in ("code-census", "hello", "fan-out"):
            deploy(platform, yaml.safe_load(path.read_text()))


def states(platform: LivePlatform, run_id: str) -> dict[str, str]:
    return {step["id"]: step["state"] for step in get(platform, f"runs/{run_id}/steps/")["results"]}


def post(platform: LivePlatform, path: str, body: dict[str, Any]) -> Any:
    answer = platform.http.post(path, json=body)
    assert answer.status_code in (200, 201, 202), answer.text
    return answer.json()


def test_a_saga_goes_forward_and_back(platform: LivePlatform) -> None:
    good = ended(platform, start(platform, "book-trip"))
    assert good["output"] == {"receipt": "Your trip is booked.", "paid": 420}
    run_id = start(platform, "book-trip", sold_out=True)
    bad = ended(platform, run_id)
    assert bad["state"] == "failed"
    assert "the card was declined for 420" in bad["error"]["message"]
    found = states(platform, run_id)
    assert (found["flight"], found["hotel"], found["pay"]) == ("compensated", "compensated", "failed")
    assert (found["cancel_flight"], found["cancel_hotel"], found["receipt"]) == ("completed",) * 3


@pytest.mark.parametrize(("text", "way"), [("short!", "keep"), ("word " * 30, "summarize")])
def test_a_branch(platform: LivePlatform, text: str, way: str) -> None:
    run_id = start(platform, "grade-and-route", text=text)
    assert ended(platform, run_id)["output"]["way"] == way
    found = states(platform, run_id)
    assert {found["keep"], found["summarize"]} == {"completed", "skipped"}
    assert found["shout"] == ("completed" if text.endswith("!") else "skipped")


def test_a_loop_with_state(platform: LivePlatform) -> None:
    run_id = start(platform, "square-root", number=2)
    output = ended(platform, run_id)["output"]
    assert math.isclose(output["root"], math.sqrt(2))
    assert len(output["guesses"]) == output["rounds"] >= 4
    (value,) = get(platform, f"runs/{run_id}/state/")["results"]
    assert value["key"] == "guesses"
    first = get(platform, f"runs/{run_id}/steps/?iteration=refine.0")["results"]
    assert [step["id"] for step in first] == ["refine.0.improve"]


def test_mapreduce_as_one_step(platform: LivePlatform) -> None:
    run = ended(platform, start(platform, "word-count", modules=15), 90)
    words = run["output"]["words"]
    assert len(words) == 10
    assert words[0]["times"] >= words[9]["times"] > 0
    assert run["output"]["failed"] == 0


def test_commands(platform: LivePlatform) -> None:
    run = ended(platform, start(platform, "imports", most=3), 90)
    assert run["state"] == "completed", run["error"]
    first, *others = run["output"]
    assert len(others) == 2
    assert first["times"] > 50
    lines = get(platform, f"runs/{run['id']}/logs/?item=0")["results"]
    assert any(line["stream"] == "stderr" and line["text"].startswith("item 0: /") for line in lines)


def test_a_streaming_reduce_tells_its_progress(platform: LivePlatform) -> None:
    run_id = start(platform, "running-total", items=60)
    seen = until(lambda: (get(platform, f"runs/{run_id}/steps/total/")["progress"] or {}).get("seen"))
    assert seen < 60, "it told of its progress only at its end"
    assert get(platform, f"runs/{run_id}/steps/work/")["state"] == "running"
    run = ended(platform, run_id, 90)
    assert run["output"] == {"seen": 60, "total": sum(n * n for n in range(61))}


def test_a_person_decides_over_a_sub_workflow_s_report(platform: LivePlatform) -> None:
    run_id = start(platform, "publish-report")
    until(lambda: get(platform, f"runs/{run_id}/")["state"] == "waiting", 90)
    why = get(platform, f"runs/{run_id}/why/")
    assert why["code"] == "approval"
    assert "Publish a report of 10 words?" in why["sentence"]
    refused = platform.http.post(f"runs/{run_id}/steps/approve/decide/", json={"approve": True, "data": {}})
    assert refused.status_code == 400
    assert refused.json()["errors"]
    post(platform, f"runs/{run_id}/steps/approve/decide/", {"approve": True, "data": {"title": "Words"}})
    run = ended(platform, run_id)
    assert run["output"]["publish"]["published"] == "Words"
    assert states(platform, run_id)["archive"] == "skipped"
    child = get(platform, f"runs/{run_id}/steps/report/")["child_run"]
    assert get(platform, f"runs/{child}/")["parent"] == {"run": run_id, "step": "report"}


def test_an_event_from_outside(platform: LivePlatform) -> None:
    run_id = start(platform, "wait-for-delivery", order=3)
    until(lambda: get(platform, f"runs/{run_id}/")["state"] == "waiting")
    assert get(platform, f"runs/{run_id}/steps/delivery/why/")["code"] == "event"
    post(platform, f"runs/{run_id}/signal/", {"name": "delivered-3", "payload": {"weight": 3.2}})
    assert ended(platform, run_id)["output"] == "3.2 kg"
