"""Signed deliveries: HMAC-SHA256 over the time and the body, as hexadecimal text after ``sha256=``.

The time is part of what is signed, so that a delivery that somebody recorded is good for minutes only.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

TIMESTAMP_HEADER = "X-Agentainer-Timestamp"
SIGNATURE_HEADER = "X-Agentainer-Signature"
DELIVERY_HEADER = "X-Agentainer-Delivery"
TOLERANCE = 300  # seconds between the sender's clock and ours


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """`timestamp` is Unix seconds as text."""
    message = timestamp.encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def is_signed(secret: str, timestamp: str, body: bytes, signature: str) -> bool:
    return hmac.compare_digest(sign(secret, timestamp, body).encode(), signature.encode())


def is_recent(timestamp: str, now: datetime) -> bool:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    return abs(now.timestamp() - int(timestamp)) <= TOLERANCE
