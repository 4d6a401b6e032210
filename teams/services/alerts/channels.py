"""Where a team's alerts go: channels are added, changed, tried and taken away."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from aflow_site.kernel.errors import Conflict, Fault, FlowError, InvalidInput, NotFound
from aflow_site.kernel.ids import new_id
from teams.domain.alerts import AlertEvent, ChannelKind, addresses_of, is_address
from teams.domain.targets import fault_of_url
from teams.models import AlertChannel
from teams.services.alerts.letters import test_letter
from teams.services.alerts.senders import Undelivered, allowed_networks, send_email, send_webhook
from teams.services.audit import audit
from teams.services.secrets import SecretLost, open_sealed, seal

MOST = 20  # of one team
MOST_ADDRESSES = 20


class TestFailed(FlowError):
    code = "not_delivered"
    status = 502
    title = "The test was not delivered"


def find(team_id: int, channel_id: UUID) -> AlertChannel:
    row = AlertChannel.objects.filter(team_id=team_id, pk=channel_id).first()
    if row is None:
        raise NotFound("There is no such channel in this team.")
    return row


def add_channel(team_id: int, values: Mapping[str, Any], *, author: str) -> tuple[AlertChannel, str | None]:
    """The channel, and what its webhooks are signed with, which is told this once (None for e-mail).

    `values`: name, kind, target, and any of kinds, enabled and secret. Raises `InvalidInput`, `Conflict`.
    """
    kind = ChannelKind(values["kind"])
    _check_target(kind, values["target"])
    secret = None
    if kind is ChannelKind.WEBHOOK:
        secret = values.get("secret") or secrets.token_urlsafe(32)
    row = AlertChannel(
        team_id=team_id,
        name=values["name"],
        kind=kind,
        target=values["target"],
        kinds=list(values.get("kinds", ())),
        enabled=values.get("enabled", True),
        sealed=seal(secret) if secret else "",
        created_by=author,
    )
    with transaction.atomic():
        if AlertChannel.objects.filter(team_id=team_id).count() >= MOST:
            raise Conflict(f"A team has {MOST} channels at most; take one away.")
        _save(row)
        _audit(row, "added", author, ())
    return row, secret


def change_channel(
    team_id: int, channel_id: UUID, changes: Mapping[str, Any], *, author: str
) -> AlertChannel:
    """`changes`: any of name, target, kinds, enabled and secret. Raises `NotFound`, `InvalidInput`."""
    row = find(team_id, channel_id)
    if "target" in changes:
        _check_target(ChannelKind(row.kind), changes["target"])
    for name in ("name", "target", "kinds", "enabled"):
        setattr(row, name, changes.get(name, getattr(row, name)))
    if changes.get("secret") and row.kind == ChannelKind.WEBHOOK:
        row.sealed = seal(changes["secret"])
    with transaction.atomic():
        _save(row)
        _audit(row, "changed", author, sorted(changes))
    return row


@transaction.atomic
def remove_channel(team_id: int, channel_id: UUID, *, author: str) -> None:
    """What is on its way to it is not sent any more. Raises `NotFound`."""
    row = find(team_id, channel_id)
    _audit(row, "removed", author, ())
    row.delete()


def test_channel(team_id: int, channel_id: UUID, *, author: str) -> None:
    """Sends a test right now. Raises `NotFound`, `TestFailed` with the reason."""
    row = find(team_id, channel_id)
    letter = test_letter(row, f"{AlertEvent.TEST}-{new_id()}", author)
    try:
        if row.kind == ChannelKind.EMAIL:
            send_email(row.target, letter)
        else:
            send_webhook(row.target, open_sealed(row.sealed), letter)
    except (Undelivered, SecretLost) as exc:
        raise TestFailed(str(exc)) from exc


def _check_target(kind: ChannelKind, target: str) -> None:
    if kind is ChannelKind.WEBHOOK:
        fault = fault_of_url(target, allowed_networks())
    else:
        addresses = addresses_of(target)
        wrong = [address for address in addresses if not is_address(address)]
        fault = f"{wrong[0][:60]} is no e-mail address." if wrong else None
        if not 1 <= len(addresses) <= MOST_ADDRESSES:
            fault = f"Give 1 to {MOST_ADDRESSES} e-mail addresses, parted by commas."
    if fault is not None:
        raise InvalidInput("The channel is not valid.", faults=[Fault("target", fault)])


def _save(row: AlertChannel) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as exc:
        raise Conflict(f"There is a channel named {row.name} already.") from exc


def _audit(row: AlertChannel, verb: str, author: str, fields: Sequence[str]) -> None:
    """Without the target, whose path may be a password."""
    details = {"kind": row.kind, **({"fields": list(fields)} if fields else {})}
    target = f"alert-channel/{row.name}"
    audit(row.team_id, actor=author, action=f"alert_channel.{verb}", target=target, details=details)
