"""A study for people: a table, and the trade-off of attainment against agent-seconds as a picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from scaling.simulator.study import Verdict

COLUMNS = (
    ("policy", "left"),
    ("within SLO", "right"),
    ("wait p50", "right"),
    ("p95", "right"),
    ("p99", "right"),
    ("agent-h", "right"),
    ("cost", "right"),
    ("turns/h", "right"),
    ("up", "right"),
    ("down", "right"),
)
HELD = ("held", "right")  # forecasts, where any are made


def table(verdicts: Sequence[Verdict]) -> Table:
    made = Table(box=None, header_style="bold")
    foreseen = any(verdict.mean.forecast_coverage is not None for verdict in verdicts)
    for title, justify in (*COLUMNS, HELD) if foreseen else COLUMNS:
        made.add_column(title, justify="left" if justify == "left" else "right", no_wrap=True)
    for verdict in verdicts:
        mean = verdict.mean
        spread = verdict.interval.get("slo_attainment")
        made.add_row(
            verdict.policy,
            f"{mean.slo_attainment:.2%}" + (f" ± {spread:.2%}" if spread is not None else ""),
            _seconds(mean.wait_p50),
            _seconds(mean.wait_p95),
            _seconds(mean.wait_p99),
            f"{mean.agent_seconds / 3600:,.1f}",
            f"{mean.cost:,.2f}",
            f"{mean.reversals_per_hour:.1f}",
            _seconds(mean.scale_up_seconds),
            _seconds(mean.scale_down_seconds),
            *([_share(mean.forecast_coverage)] if foreseen else []),
        )
    return made


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def picture(verdicts: Sequence[Verdict], file: Path) -> None:
    """Agent-hours to the right, missed arrivals upwards: the lower left is better. By the file's ending."""
    from matplotlib.figure import Figure  # slow to import, and needed here alone

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    families: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        families[verdict.policy.partition(":")[0]].append(verdict)
    for family, members in families.items():
        members.sort(key=lambda member: member.mean.agent_seconds)
        hours = [member.mean.agent_seconds / 3600 for member in members]
        missed = [max(1e-5, 1 - member.mean.slo_attainment) * 100 for member in members]
        axes.plot(hours, missed, marker="o", label=family)
    axes.set(xlabel="agent-hours", ylabel="arrivals that waited longer than the SLO, %", yscale="log")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(file)
