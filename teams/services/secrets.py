"""Secrets of a team: set, forgotten, and opened for its agents.

Values are sealed with Fernet (AES-128-CBC and HMAC-SHA256, of the `cryptography` library) under a key that is
derived from `SECRET_KEY`: who has the database alone cannot read them, and who changes that key loses them.
Does not: show a value to anybody, or write it into the audit log.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import transaction

from aflow_site.kernel.errors import Conflict, Fault, FlowError, InvalidInput, NotFound
from teams.facade.contracts import SecretView
from teams.models import Secret
from teams.services.audit import audit

NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")
RESERVED = "AGENTAINER_"
LONGEST, MOST = 32_768, 1000


class SecretLost(FlowError):
    code = "secret_lost"
    title = "A secret cannot be opened"


@lru_cache(maxsize=2)
def _box(key: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"agentainer flow: secrets")
    return Fernet(base64.urlsafe_b64encode(derived.derive(key.encode())))


def seal(value: str) -> str:
    return _box(settings.SECRET_KEY).encrypt(value.encode()).decode()


def open_sealed(sealed: str) -> str:
    """Raises `SecretLost`."""
    try:
        return _box(settings.SECRET_KEY).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise SecretLost("It was sealed under another SECRET_KEY; set it again.") from None


@transaction.atomic
def set_secret(team_id: int, name: str, value: str, *, author: str) -> tuple[SecretView, bool]:
    """The secret, and whether it is new. Raises `InvalidInput`, `Conflict` when there are too many."""
    faults = _faults(name, value)
    if faults:
        raise InvalidInput("The secret cannot be kept.", faults=faults)
    known = Secret.objects.filter(team_id=team_id)
    if not known.filter(name=name).exists() and known.count() >= MOST:
        raise Conflict(f"A team keeps {MOST} secrets at most; delete some.")
    sealed = seal(value)
    row, new = Secret.objects.update_or_create(
        team_id=team_id, name=name, defaults={"sealed": sealed, "author": author}
    )
    audit(team_id, actor=author, action="secret.set", target=f"secret/{name}")
    return SecretView(row.name, row.author, row.changed_at), new


def _faults(name: str, value: str) -> list[Fault]:
    faults = []
    if not NAME.match(name):
        faults.append(Fault("name", "Use letters, digits and _, up to 128; begin with a letter or _."))
    elif name.startswith(RESERVED):
        faults.append(Fault("name", f"Names that begin with {RESERVED} belong to the platform."))
    if not value or len(value) > LONGEST or "\0" in value:
        faults.append(Fault("value", f"It must be text of 1 to {LONGEST} characters."))
    return faults


@transaction.atomic
def delete_secret(team_id: int, name: str, *, author: str) -> None:
    """Raises `NotFound`."""
    deleted, _ = Secret.objects.filter(team_id=team_id, name=name).delete()
    if not deleted:
        raise NotFound(f"There is no secret {name} in this team.")
    audit(team_id, actor=author, action="secret.deleted", target=f"secret/{name}")


def secret_values(team_id: int, names: Iterable[str]) -> dict[str, str]:
    """The values of those that there are, by name, for an agent's environment. Raises `SecretLost`."""
    values = {}
    for row in Secret.objects.filter(team_id=team_id, name__in=list(names)):
        try:
            values[row.name] = open_sealed(row.sealed)
        except SecretLost:
            raise SecretLost(
                f"The secret {row.name} was sealed under another SECRET_KEY; set it again."
            ) from None
    return values
