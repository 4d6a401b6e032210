"""A sub-workflow and a person's decision in Python (see publish-report.yaml; it needs word-count.yaml).

./aflow workflow create examples/sdk_publish.py
./aflow workflow run publish-report-py
./aflow run decide RUN approve --approve --data '{"title": "Words"}'
"""

from __future__ import annotations

from typing import Any

from agentainer_flow import Context, approval, branch, step, subworkflow, wait, workflow

FORM = {
    "type": "object",
    "properties": {"title": {"type": "string", "title": "Title of the report", "minLength": 3}},
    "required": ["title"],
}


@workflow(
    name="publish-report-py",
    description="Makes a report with another workflow, and publishes it when somebody says so",
)
class PublishReport:
    report = subworkflow("word-count", {"modules": 20})

    approve = approval(
        "Publish a report of ${size(steps.report.output.words)} words?",
        form=FORM,
        approvers=["role:operator"],
        timeout="24h",
        on_timeout="reject",
        on_reject="continue",
    )

    choose = branch(cool_off="steps.approve.output.approved", otherwise="archive")

    cool_off = wait("1s")

    @step  # it goes on with the way of `cool_off`: the next one begins with `archive`
    def publish(self, ctx: Context, approve: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
        lines = [f"{entry['word']}: {entry['times']}" for entry in report["words"]]
        return {"published": approve["data"]["title"], "approved_by": approve["by"], "lines": lines}

    @step
    def archive(self, ctx: Context) -> dict[str, Any]:
        return {"published": None}
