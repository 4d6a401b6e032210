"""Which forecasters run for a policy's `predictor`."""

from __future__ import annotations

from scaling.domain.forecasting.learned import Learned
from scaling.domain.forecasting.naive import Season
from scaling.domain.forecasting.port import Forecaster
from scaling.domain.policies import Predictor


def forecasters_for(predictor: str) -> list[Forecaster]:
    """The naive one always: it serves while the learned one cannot, or is no better."""
    return [Season(), Learned()] if predictor == Predictor.LEARNED else [Season()]
