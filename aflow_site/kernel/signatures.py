"""Signed deliveries, ours and those of others: HMAC-SHA256 over the time and the body, as hexadecimal text
after ``sha256=``.

The time is part of what is signed, so that a delivery that somebody recorded is good for minutes only.
"""

from __future__ import annotations

import hashlib
import hmac

TIMESTAMP_HEADER = "X-Agentainer-Timestamp"
SIGNATURE_HEADER = "X-Agentainer-Signature"
DELIVERY_HEADER = "X-Agentainer-Delivery"


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """`timestamp` is Unix seconds as text."""
    message = timestamp.encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
