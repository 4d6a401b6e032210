"""What makes a signed delivery to a trigger good: the signature, and that it is recent."""

from __future__ import annotations

import hmac
from datetime import datetime

from aflow_site.kernel.signatures import DELIVERY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

__all__ = ["DELIVERY_HEADER", "SIGNATURE_HEADER", "TIMESTAMP_HEADER", "is_recent", "is_signed", "sign"]

TOLERANCE = 300  # seconds between the sender's clock and ours


def is_signed(secret: str, timestamp: str, body: bytes, signature: str) -> bool:
    return hmac.compare_digest(sign(secret, timestamp, body).encode(), signature.encode())


def is_recent(timestamp: str, now: datetime) -> bool:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    return abs(now.timestamp() - int(timestamp)) <= TOLERANCE
