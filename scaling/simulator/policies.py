"""Policies by the names that people give them: ours by preset, the baselines by their usual short names.

`NAME` or `NAME:NUMBER`; ours also as `NAME+naive` or `NAME+ml`: with a prediction by that forecaster, which
knows what lies before the offset. The number is the one knob of each: the target utilization of ours, of
`hpa`, `hpac` and `kpa`; messages per agent of `keda`; the upper threshold of `threshold`; agents of `fixed`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from aflow_site.kernel.errors import Fault, InvalidInput
from scaling.domain import policies as scaler
from scaling.domain.forecasting.contest import forecasters_for
from scaling.domain.forecasting.history import History
from scaling.domain.forecasting.learned import NotInstalled
from scaling.domain.forecasting.outlook import horizon_of
from scaling.domain.forecasting.prediction import Prediction
from scaling.domain.policies import PRESETS, Predictor, of_preset
from scaling.domain.staffing import staff, z_of
from scaling.simulator.baselines.fixed import Fixed
from scaling.simulator.baselines.hpa import Hpa
from scaling.simulator.baselines.keda import Keda
from scaling.simulator.baselines.kpa import Kpa
from scaling.simulator.baselines.threshold import Threshold
from scaling.simulator.ours import EVERY, Ours
from scaling.simulator.plant import Policy
from scaling.simulator.workload import Conditions, Workload

Maker = Callable[[float | None, Workload, Conditions], Policy]
PREDICTORS = {"naive": Predictor.NAIVE, "ml": Predictor.LEARNED}
PEAK_OVER = 60.0  # seconds


def _ours(preset: str, predictor: str | None = None) -> Maker:
    def make(knob: float | None, workload: Workload, conditions: Conditions) -> Policy:
        values: dict[str, Any] = {} if knob is None else {"target_utilization": knob}
        values |= {} if predictor is None else {"prediction": True, "predictor": predictor}
        return ours(of_preset(preset, max=conditions.max_size, **values), workload, conditions)

    return make


def ours(policy: scaler.Policy, workload: Workload, conditions: Conditions) -> Policy:
    """Our scaler under just this policy."""
    prediction = _prediction(policy.predictor, workload, conditions) if policy.prediction else None
    return Ours(policy, conditions.start_time, prediction)


def _prediction(predictor: str, workload: Workload, conditions: Conditions) -> Prediction:
    prediction = Prediction(horizon_of(conditions.start_time, EVERY), forecasters_for(predictor))
    try:
        prediction.prime(History(-len(workload.loads), np.asarray(workload.loads)))
    except NotInstalled as exc:
        raise InvalidInput(f"Nothing can learn here: {exc}.") from exc
    return prediction


def _fixed(knob: float | None, workload: Workload, conditions: Conditions) -> Policy:
    return Fixed(round(knob) if knob is not None else size_for_peak(workload, conditions))


def size_for_peak(workload: Workload, conditions: Conditions) -> int:
    """What a careful person would buy for the busiest minute."""
    edges = np.arange(0, workload.seconds + PEAK_OVER, PEAK_OVER)
    busiest = np.histogram(workload.arrivals, edges)[0].max() / PEAK_OVER
    return staff(float(busiest) * conditions.service_mean, z_of(0.7))


MAKERS: dict[str, Maker] = {
    **{name: _ours(name) for name in PRESETS},
    **{
        f"{name}+{short}": _ours(name, predictor)
        for name in PRESETS
        for short, predictor in PREDICTORS.items()
    },
    "hpa": lambda knob, _w, _c: Hpa(knob or 0.7),
    "hpac": lambda knob, _w, _c: Hpa(knob or 0.7, concurrency=True),
    "keda": lambda knob, _w, _c: Keda(knob or 0.7),
    "kpa": lambda knob, _w, _c: Kpa(knob or 0.7),
    "threshold": lambda knob, _w, _c: Threshold(knob or 0.8),
    "fixed": _fixed,
}


def faults_of(names: list[str]) -> list[Fault]:
    found = []
    for name in names:
        family, _, knob = name.partition(":")
        if family not in MAKERS:
            found.append(
                Fault("policies", f"There is no policy {family!r}: choose among {', '.join(MAKERS)}.")
            )
        elif knob and not _is_knob(family, knob):
            most = (
                "a number of agents"
                if family == "fixed"
                else "a number above 0, and below 1 for utilizations"
            )
            found.append(Fault("policies", f"{name!r}: after the colon, {most} is expected."))
    return found


def _is_knob(family: str, text: str) -> bool:
    try:
        value = float(text)
    except ValueError:
        return False
    if family in ("fixed", "keda"):
        return 0 < value < math.inf
    return 0 < value < 1


def make(name: str, workload: Workload, conditions: Conditions) -> Policy:
    """Raises `InvalidInput` for a name that is none."""
    if faults := faults_of([name]):
        raise InvalidInput("This policy is not known.", faults=faults)
    family, _, knob = name.partition(":")
    return MAKERS[family](float(knob) if knob else None, workload, conditions)
