"""The token that is good for one agent only. It is computed where it is needed, and stored nowhere."""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID


def agent_token(secret: str, agent_id: UUID, nonce: str) -> str:
    message = f"agent-token:{agent_id}:{nonce}".encode()
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
