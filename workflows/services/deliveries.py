"""Webhooks: deliveries whose signature shows that their sender knows the trigger's secret.

The same delivery again starts nothing: it is known by its signature, and by the name that its sender gave it.
The name alone would not do, since it is not signed: whoever recorded a delivery could send it under another
one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from aflow_site.kernel.errors import Conflict, InvalidInput, NotAuthenticated
from teams.facade import api as teams
from teams.facade.contracts import Via
from workflows.domain.triggers import Kind, WebhookConfig, params_from, read_config
from workflows.domain.webhooks import (
    DELIVERY_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    is_recent,
    is_signed,
)
from workflows.models import Trigger
from workflows.services.firings import Occasion, Outcome, fire

MAX_NAME = 90
_HIDDEN = frozenset({"authorization", "cookie"})


class BadSignature(NotAuthenticated):
    code = "bad_signature"
    title = "The delivery is not signed as it must be"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One that was found to be signed. `headers` have lower-case names."""

    trigger: Trigger
    config: WebhookConfig
    headers: Mapping[str, str]
    occasion: Occasion


def accept(trigger_id: UUID, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
    """The delivery, when it is signed and recent; BadSignature otherwise, whether or not there is such a
    trigger. `headers` may be asked for by names in any case."""
    found = Trigger.objects.filter(pk=trigger_id, kind=Kind.WEBHOOK, workflow__archived_at=None)
    trigger = found.select_related("workflow").first()
    if trigger is None:
        raise BadSignature("No webhook here takes this signature.")
    config = read_config(Kind.WEBHOOK, trigger.config)
    assert isinstance(config, WebhookConfig)
    header = config.signature_header or SIGNATURE_HEADER
    timestamp, signature = headers.get(TIMESTAMP_HEADER, ""), headers.get(header, "")
    if not timestamp or not signature:
        raise BadSignature(
            f"Send {TIMESTAMP_HEADER} (Unix seconds) and {header}: sha256=HEX, the HMAC-SHA256 with the "
            "webhook's secret over the timestamp, a dot and the body."
        )
    if not is_signed(trigger.secret, timestamp, body, signature):
        raise BadSignature("No webhook here takes this signature.")
    if not is_recent(timestamp, now):
        raise BadSignature(f"{TIMESTAMP_HEADER} is too far from this server's clock; sign anew.")
    fingerprint = signature.removeprefix("sha256=")
    name = _name(headers.get(DELIVERY_HEADER))
    occasion = Occasion(
        name=f"delivery:{name}" if name else f"signature:{fingerprint}", at=now, fingerprint=fingerprint
    )
    return Delivery(trigger, config, _readable(headers, header), occasion)


def _name(given: str | None) -> str | None:
    if given and not (len(given) <= MAX_NAME and given.isascii() and given.isprintable()):
        raise InvalidInput(f"{DELIVERY_HEADER} has up to {MAX_NAME} ASCII characters.")
    return given or None


def _readable(headers: Mapping[str, str], signature_header: str) -> dict[str, str]:
    """What expressions may read: all but what proves who somebody is."""
    hidden = _HIDDEN | {signature_header.lower()}
    return {name.lower(): value for name, value in headers.items() if name.lower() not in hidden}


def deliver(delivery: Delivery, body: Any) -> Outcome:
    """Starts the run that the delivery asks for. Conflict when the trigger is switched off."""
    trigger = delivery.trigger
    if not trigger.enabled:
        raise Conflict("This webhook is switched off.")
    if delivery.config.map is None and not isinstance(body, dict):
        raise InvalidInput("The body is a JSON object, whose fields are the run's params.")

    def params() -> dict[str, Any]:
        if delivery.config.map is None:
            return {**body, **trigger.params}
        scope = {"body": body, "headers": dict(delivery.headers)}
        return params_from(delivery.config.map, trigger.params, scope)

    with teams.acting(Via.WEBHOOK), transaction.atomic():
        return fire(trigger, delivery.occasion, params)
