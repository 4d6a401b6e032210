"""Decisions as sentences, with the figures behind them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scaling.domain.decisions import Forecast, Reason, Signals
from scaling.domain.explaining import explain
from scaling.domain.policies import Metric, Policy
from scaling.domain.scaler import decide

SEEN = Signals(at=0, target=4, ready=4, starting=0, leased=3, waiting=0, highest=0, service_time=2.0)
WIDE = Policy(max=100)


@pytest.mark.parametrize(
    ("seen", "policy", "sentence"),
    [
        (
            replace(SEEN, arrival_rate=5.0),
            WIDE,
            "5 requests a second of 2 s each keep 10 agents busy: short waits at a target of "
            "70% need 17 agents; from 4 to 17",
        ),
        (
            replace(SEEN, waiting=6),
            WIDE,
            "3 agents at work while 6 callers wait: 9 agents are needed; from 4 to 9",
        ),
        (
            replace(SEEN, leased=0, arrival_rate=0.05, target=20),
            WIDE,
            "3 requests a minute of 2 s each keep 0.1 agents busy: short waits at a target "
            "of 70% need 1 agent; from 20 to 15, a part at a time",
        ),
        (
            replace(SEEN, utilization=0.95),
            replace(WIDE, metrics=(Metric.UTILIZATION,)),
            "95% of the agents were busy in the last minute, which asks for 6 agents; from 4 to 6",
        ),
        (
            replace(SEEN, coming=9, coming_by=Reason.SCHEDULE),
            WIDE,
            "Work that is known to come will need 12 agents; from 4 to 12",
        ),
        (
            replace(SEEN, forecast=Forecast(9, quantile=0.9, coverage=0.9, load=6.5, forecaster="season")),
            replace(WIDE, prediction=True),
            "A load of 6.5 busy agents is expected at most (season, 90%), for which 9 agents "
            "are needed; from 4 to 9",
        ),
        (
            replace(SEEN, leased=0),
            replace(WIDE, min_idle=6),
            "6 agents are to be free at any time, which asks for 6 agents; from 4 to 6",
        ),
        (
            replace(SEEN, leased=0, highest=4),
            WIDE,
            "Nobody asks for agents; the size stays at 4: more were needed within the down window",
        ),
        (
            replace(SEEN, waiting=50),
            Policy(max=10),
            "3 agents at work while 50 callers wait: 53 agents are needed; from 4 to 10: the "
            "maximum is reached",
        ),
        (
            replace(SEEN, waiting=9, affordable=2),
            WIDE,
            "3 agents at work while 9 callers wait: 12 agents are needed; from 4 to 2: the "
            "budget carries no more",
        ),
        (
            replace(SEEN, age=60.0, waiting=1),
            WIDE,
            "3 agents at work while 1 caller waits: 4 agents are needed; the size stays at "
            "4: the figures are older than ten seconds, and decide nothing",
        ),
    ],
)
def test_sentences(seen: Signals, policy: Policy, sentence: str) -> None:
    assert explain(seen, policy, decide(seen, policy)) == sentence
