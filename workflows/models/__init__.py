from .artifacts import Artifact, ArtifactUse
from .definitions import Bundle, Workflow, WorkflowVersion
from .executors import Executor
from .runs import Event, Item, LogLine, PastEnds, Run, RunMessage, RunTag, RunValue, Step
from .triggers import Firing, Trigger

__all__ = [
    "Artifact",
    "ArtifactUse",
    "Bundle",
    "Event",
    "Executor",
    "Firing",
    "Item",
    "LogLine",
    "PastEnds",
    "Run",
    "RunMessage",
    "RunTag",
    "RunValue",
    "Step",
    "Trigger",
    "Workflow",
    "WorkflowVersion",
]
