"""What agents answered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class AgentAnswer:
    """`waits`: the agent is down (or it was asked for so), and the request is delivered when it is back;
    `body` then tells why. Else `body` is what the agent answered: JSON, the last line's where it streamed."""

    request_id: str
    waits: bool
    body: Any


def answer_of(response: Any) -> AgentAnswer:
    text = response.text.strip()
    if response.headers.get("Content-Type", "").startswith("application/x-ndjson"):
        text = text.rpartition("\n")[2]
    try:
        body = json.loads(text) if text else None
    except ValueError:
        body = text
    request_id = response.headers.get("X-Agentainer-Request-ID", "")
    return AgentAnswer(request_id, response.status_code == 202 and "Location" in response.headers, body)
