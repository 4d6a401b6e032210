"""`./aflow simulate`."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from aflow_site.kernel.errors import FlowError, InvalidInput
from aflow_site.supervision.command import PlatformCommand
from scaling.facade import simulation as scaling

POLICIES = "aggressive,balanced,conservative,hpa,keda,kpa,threshold,fixed"
HELP = {
    "mean_busy": "agents that the work keeps busy on average; the trace is scaled to it",
    "service_mean": "mean seconds of work for each arrival",
    "service_cv": "coefficient of variation of the work (log-normal)",
    "start_time": "seconds from the wish for an agent until it serves",
    "slo_wait": "the longest wait in seconds that is good enough",
    "offset_hours": "where in the trace to begin; what lies before is history",
    "hours": "how long to go on",
    "max_size": "the most agents of any policy",
    "price": "of an agent-hour",
}


class Command(PlatformCommand):
    help = "Replays an arrival trace (CSV: second_offset,count) against scaling policies."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "trace", type=Path, help="a CSV file; _300s at its name's end tells the bins' width"
        )
        parser.add_argument(
            "--policies",
            default=POLICIES,
            help="NAME or NAME:KNOB, ours also as PRESET+naive or PRESET+ml, … (default: %(default)s)",
        )
        for field in fields(scaling.Conditions):
            flag = "--" + field.name.replace("_", "-")
            kind = int if isinstance(field.default, int) else float
            parser.add_argument(
                flag, type=kind, default=field.default, help=f"{HELP[field.name]} (%(default)s)"
            )
        parser.add_argument(
            "--seeds", type=int, default=10, help="how often each policy is run (%(default)s)"
        )
        parser.add_argument(
            "--picture", type=Path, default=Path("simulation.png"), help="file of the picture"
        )
        parser.add_argument(
            "--json", action="store_true", help="a list of records in place of table and picture"
        )

    def run(self, options: dict[str, Any]) -> int:
        try:
            verdicts = self._study(options)
        except InvalidInput as exc:
            faults = "".join(f"\n  {fault.path}: {fault.message}" for fault in exc.faults)
            raise InvalidInput(exc.detail + faults) from exc
        if options["json"]:
            print(json.dumps([verdict.as_record() for verdict in verdicts], indent=2))
            return 0
        self.voice.console.print(scaling.table(verdicts))
        try:
            scaling.picture(verdicts, options["picture"])
        except ValueError as exc:
            raise FlowError(f"{options['picture']} cannot be drawn: {exc}") from exc
        self.voice.say(f"Picture: {options['picture']}")
        return 0

    def _study(self, options: dict[str, Any]) -> list[scaling.Verdict]:
        file: Path = options["trace"]
        try:
            with file.open(newline="", encoding="utf-8") as lines:
                trace = scaling.read(lines, file.name)
        except FileNotFoundError as exc:
            raise FlowError(f"There is no file {file}.") from exc
        except (IsADirectoryError, UnicodeDecodeError) as exc:
            raise FlowError(f"{file} is not a CSV file.") from exc
        conditions = scaling.Conditions(
            **{field.name: options[field.name] for field in fields(scaling.Conditions)}
        )
        names = [name.strip() for name in options["policies"].split(",") if name.strip()]
        return scaling.study(trace, conditions, names, options["seeds"])
