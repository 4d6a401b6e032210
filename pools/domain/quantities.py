"""Amounts as people write them in deployments: `0.5` or `500m` of a CPU, `512M` or `1Gi` of memory, `30s`.

Suffixes are those of Kubernetes: k, M, G, T are powers of 1000, Ki, Mi, Gi, Ti of 1024.
"""

from __future__ import annotations

import math
import re
from typing import Any

_CPU = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(m?)", re.ASCII)
_BYTES = re.compile(r"(\d+(?:\.\d+)?|\.\d+)([A-Za-z]*)", re.ASCII)
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?", re.ASCII)
_POWERS = {"": 1, "k": 1000, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}
_POWERS |= {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4}
_UNITS = {"ms": 0.001, "s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0}
LONGEST = 40  # characters of an amount that are looked at


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def cpus(value: Any) -> float:
    """CPUs. Raises ValueError with a sentence."""
    number = _number(value)
    if number is not None:
        return number
    match = _CPU.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= LONGEST else None
    if match is None:
        raise ValueError('Write CPUs as a number such as 0.5, or as thousandths such as "500m".')
    return float(match[1]) / (1000 if match[2] else 1)


def memory_bytes(value: Any) -> int:
    """Bytes. Raises ValueError with a sentence."""
    number = _number(value)
    if number is not None:
        if not math.isfinite(number) or number != int(number):
            raise ValueError('Memory is a whole number of bytes, or such as "512M" or "1Gi".')
        return int(number)
    match = _BYTES.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= LONGEST else None
    if match is None or match[2] not in _POWERS:
        raise ValueError(
            'Write memory such as "512M" (millions of bytes) or "1Gi" (1024³ bytes); there is k, M, G, T and '
            "Ki, Mi, Gi, Ti."
        )
    return int(float(match[1]) * _POWERS[match[2]])


def seconds(value: Any) -> float:
    """Raises ValueError with a sentence."""
    number = _number(value)
    if number is not None:
        return number
    match = _SECONDS.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= LONGEST else None
    if match is None:
        raise ValueError('Write a duration such as "500ms", "30s" or "2m", or a number of seconds.')
    return float(match[1]) * _UNITS[match[2]]
