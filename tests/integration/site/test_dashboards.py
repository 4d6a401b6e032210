"""The names of the contract, and that dashboards and alert rules ask for nothing else than what there is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.integration.site.metrics_at_work import prepare, scrape

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[3]
DASHBOARDS = sorted((ROOT / "deploy/grafana").glob("*.json"))
RULES = sorted((ROOT / "deploy/prometheus").glob("*.rules.yml"))
# What users hold on to: names, labels, and type.
CONTRACT = {
    "agentainer_pool_size": ("gauge", {"pool", "state"}),
    "agentainer_pool_utilization": ("gauge", {"pool"}),
    "agentainer_pool_wait_time_seconds": ("summary", {"pool", "quantile"}),
    "agentainer_scaling_decisions_total": ("counter", {"action", "reason"}),
    "agentainer_scaling_current_size": ("gauge", {"workflow"}),
    "agentainer_scaling_target_size": ("gauge", {"workflow"}),
    "agentainer_task_startup_time_seconds": ("gauge", {"mode"}),
    "agentainer_pool_agent_terminations_total": ("counter", {"pool", "reason"}),
    "agentainer_pool_agent_lifetime_seconds": ("summary", {"pool", "quantile"}),
    "agentainer_pool_agent_health_failures_total": ("counter", {"pool", "reason"}),
    "agentainer_runs_total": ("counter", {"state"}),
    "agentainer_steps": ("gauge", {"state"}),
    "agentainer_queue_depth": ("gauge", {"state"}),
}


@pytest.fixture
def exported() -> dict[str, set[str]]:
    """The labels of every sample, by its name."""
    prepare()
    return {
        sample.name: {"job", "instance", *sample.labels}
        for family in scrape().values()
        for sample in family.samples
    } | {"up": {"job", "instance"}}


def test_the_names_of_the_contract() -> None:
    prepare()
    families = {
        (family.name + "_total" if family.type == "counter" else family.name): family
        for family in scrape().values()
    }
    for name, (kind, labels) in CONTRACT.items():
        family = families[name]
        assert family.type == kind, name
        found = [sample for sample in family.samples if sample.name == name]
        assert found, f"{name} has no sample"
        assert {frozenset(sample.labels) for sample in found} == {frozenset(labels)}, name
        if kind == "summary":
            names = {sample.name for sample in family.samples}
            assert names == {name, f"{name}_sum", f"{name}_count"}
            assert [sample.labels["quantile"] for sample in found] == ["0.5", "0.9", "0.99"] * (
                len(found) // 3
            )


def queries() -> Iterator[tuple[str, str]]:
    """Where each stands, and what it asks."""
    for file in DASHBOARDS:
        board = json.loads(file.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                # Grafana fills in its own variables.
                yield f"{file.name}: {panel['title']}", target["expr"].replace("$pool", ".*")
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                metric = variable["query"]["query"].removeprefix("label_values(").split(",")[0]
                yield f"{file.name}: variable {variable['name']}", metric
    for file in RULES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                yield f"{file.name}: {rule['alert']}", rule["expr"]


def parts_of(expression: Any) -> Iterator[Any]:
    """The expression and all below it."""
    yield expression
    for name in ("lhs", "rhs", "expr", "vector_selector", "param"):
        child = getattr(expression, name, None)
        if child is not None:
            yield from parts_of(child)
    for child in getattr(expression, "args", ()) or ():
        yield from parts_of(child)


def test_queries_are_promql_about_what_there_is(exported: dict[str, set[str]]) -> None:
    asked = 0
    for place, text in queries():
        try:
            parsed = promql_parser.parse(text)
        except ValueError as exc:
            raise AssertionError(f"{place}: {exc}") from exc
        known: set[str] = set()
        for part in parts_of(parsed):
            if isinstance(part, promql_parser.VectorSelector):
                asked += 1
                assert part.name in exported, f"{place}: there is no {part.name}"
                labels = exported[part.name]
                known |= labels
                wrong = {matcher.name for matcher in part.matchers.matchers} - labels
                assert not wrong, f"{place}: {part.name} has no label {wrong}"
        for part in parts_of(parsed):
            modifier = getattr(part, "modifier", None)
            grouping = getattr(modifier, "matching", None) or modifier
            wrong = set(getattr(grouping, "labels", None) or ()) - known
            assert not wrong, f"{place}: {wrong} is no label of these"
    assert asked > 30


@pytest.mark.parametrize(
    "text",
    [
        "sum by (pool) (agentainer_pool_size",
        "rate(agentainer_runs_total)",
        "agentainer_pool_size[5m] > 1",
    ],
)
def test_the_parser_refuses_what_prometheus_would(text: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 (each has a message of its own)
        promql_parser.parse(text)
    assert str(refusal.value)


def test_dashboards_stand_on_their_own() -> None:
    """Grafana takes them as they are: panels with ids of their own, within the grid, none over another."""
    for file in DASHBOARDS:
        board = json.loads(file.read_text())
        panels = board["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        taken: set[tuple[int, int]] = set()
        for panel in panels:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, panel["title"]
            taken |= cells
        assert all(panel["description"] for panel in panels if panel["type"] != "row")


def test_every_alert_says_what_to_do() -> None:
    for file in RULES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                assert rule["labels"]["severity"] in ("warning", "critical")
                assert rule["annotations"]["summary"], rule["alert"]
                assert rule["annotations"]["description"], rule["alert"]
