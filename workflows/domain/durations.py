"""Durations as people write them: ``"90s"``, ``"10m"``, ``"1h"``, or a number of seconds."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

_PATTERN = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*$")
_UNITS = {"ms": 0.001, "s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(value: Any) -> float:
    """Seconds (inf when beyond a float); ValueError with a sentence on how to write it otherwise."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:  # an integer of more than 308 digits
            return math.inf
    match = _PATTERN.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('write a duration such as "90s", "10m", "1h", or a number of seconds')
    return float(match[1]) * _UNITS[match[2]]


Seconds = Annotated[
    float,
    BeforeValidator(seconds),
    Field(ge=0, le=30 * 86400),
    PlainSerializer(lambda value: value, return_type=float),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d)?\s*$"},
            ],
            "description": 'A duration: "90s", "10m", "1h", or seconds',
        }
    ),
]
