from .definitions import Bundle, Workflow, WorkflowVersion
from .executors import Executor
from .runs import Event, Item, LogLine, Run, RunTag, Step

__all__ = [
    "Bundle",
    "Event",
    "Executor",
    "Item",
    "LogLine",
    "Run",
    "RunTag",
    "Step",
    "Workflow",
    "WorkflowVersion",
]
