"""KEDA on the length of a queue.

Source: KEDA documentation, "Scaling Deployments" and the scalers for queues: between 1 and n the queue's
length goes to a Horizontal Pod Autoscaler as an average value (desired = ceil(length / value)); from 0 to 1
KEDA acts itself when it polls (every 30 s) and sees a message; to 0 it goes when the queue has been empty for
the cooldown period of 300 s. As with RabbitMQ's default, messages that are being worked on are part of the
length.
"""

from __future__ import annotations

import math

from scaling.simulator.baselines.hpa import TOLERANCE, Behaviour
from scaling.simulator.plant import Observation


def for_length(length: float, value: float, size: int) -> int:
    """As an AverageValue metric of the autoscaler has it, its tolerance included."""
    if size and abs(length / (size * value) - 1.0) <= TOLERANCE:
        return size
    return math.ceil(length / value)


class Keda:
    """`value` messages for each agent; `polling` and `cooldown` in seconds."""

    def __init__(
        self,
        value: float = 0.7,
        *,
        polling: float = 30.0,
        period: float = 15.0,
        cooldown: float = 300.0,
        window: float = 300.0,
    ) -> None:
        self._value, self._polling, self._period, self._cooldown = value, polling, period, cooldown
        self._behaviour = Behaviour(window)
        self._poll_at, self._next = polling, period
        self._active_at = 0.0

    def decide(self, seen: Observation) -> int:
        length = seen.busy + seen.waiting
        size = seen.target
        if seen.at >= self._poll_at:
            self._poll_at += self._polling
            if length:
                self._active_at = seen.at
                size = max(1, size)
            elif seen.at - self._active_at >= self._cooldown:
                size = 0
        if seen.at >= self._next:
            self._next += self._period
            if size:
                wanted = max(1, for_length(length, self._value, size))
                size = self._behaviour.apply(seen.at, size, wanted)
        return size
