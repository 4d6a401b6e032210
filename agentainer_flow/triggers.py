"""What starts runs by itself: `@workflow(schedule=cron("30 2 * * *"), triggers=[webhook("crm")])`."""

from agentainer_flow.sdk.triggering import Trigger, after, cron, webhook

__all__ = ["Trigger", "after", "cron", "webhook"]
