"""`schedule` and `triggers` of `@workflow`."""

from __future__ import annotations

from typing import Any

import pytest

from agentainer_flow import Context, DefinitionError, compile_workflow, step, workflow
from agentainer_flow.sdk.bundling import Bundle
from agentainer_flow.sdk.exporting import python_of
from agentainer_flow.triggers import after, cron, webhook
from tests.property.sdk.test_export_property import again
from workflows.domain.validation import check_document

BUNDLE = Bundle("module", b"", "0" * 64)
CRM = {"map": {"count": "${body.count}"}}
CENSUS = {"workflow": "code-census", "states": ["failed"]}
NIGHTLY = {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "catch_up": "skip", "overlap": "allow"}


def compiled(**given: Any) -> dict[str, Any]:
    class Sample:
        @step
        def work(self, ctx: Context) -> None: ...

    return compile_workflow(workflow(**given)(Sample), BUNDLE)


def test_a_cron_line_is_a_schedule() -> None:
    assert compiled(schedule="0 6 * * *")["triggers"] == [
        {
            "name": "schedule",
            "kind": "schedule",
            "config": {"cron": "0 6 * * *", "timezone": "UTC", "catch_up": "last", "overlap": "queue"},
        }
    ]
    assert compiled(schedule=NIGHTLY)["triggers"][0]["config"] == NIGHTLY
    assert "triggers" not in compiled()


def test_each_kind_of_trigger_becomes_the_documents_and_comes_back() -> None:
    document = compiled(
        schedule=cron(
            "30 2 * * *", timezone="Europe/Berlin", params={"day": 1}, catch_up="skip", overlap="allow"
        ),
        triggers=[
            webhook("from-crm", map={"count": "${body.count}"}, enabled=False),
            after("code-census", states=["failed"]),
            {"name": "by-dict", "kind": "webhook"},
        ],
    )
    assert document["triggers"] == [
        {"name": "schedule", "kind": "schedule", "config": NIGHTLY, "params": {"day": 1}},
        {"name": "from-crm", "kind": "webhook", "config": CRM, "enabled": False},
        {"name": "after-code-census", "kind": "event", "config": CENSUS},
        {"name": "by-dict", "kind": "webhook"},
    ]
    document["steps"][0]["run"] = {"code": "def main(): ..."}
    assert check_document(document)[1] == []
    assert again(document)["triggers"] == document["triggers"]
    assert "triggers=[" in python_of(document)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"schedule": "daily"}, "a cron line has five fields"),
        ({"schedule": 3}, "schedule is a cron line such as"),
        ({"schedule": webhook()}, "schedule is a cron line such as"),
        ({"schedule": {"cron": "0 6 * * *", "timezon": "UTC"}}, "did you mean timezone?"),
        ({"triggers": 3}, "triggers is a list of"),
        ({"triggers": webhook()}, "triggers is a list of"),
        ({"triggers": [3]}, "each is a cron"),
        ({"triggers": [{"name": "A", "kind": "webhook"}]}, "must be lower-case letters"),
        ({"triggers": [{"name": "a", "kind": "webhok"}]}, "Did you mean 'webhook'?"),
        ({"triggers": [{"name": "a", "kind": "webhook", "when": 1}]}, "has no argument when"),
        ({"triggers": [webhook(), webhook()]}, "two triggers are called webhook"),
    ],
)
def test_faults_are_told_at_decoration(given: dict[str, Any], says: str) -> None:
    with pytest.raises(DefinitionError) as failure:
        compiled(**given)
    assert says in str(failure.value)


def test_ends_and_choices_are_checked() -> None:
    with pytest.raises(DefinitionError, match="states names one at least"):
        after("x", states=[])
    with pytest.raises(DefinitionError, match="overlap must be one of"):
        cron("0 6 * * *", overlap="wait")  # type: ignore[arg-type]
